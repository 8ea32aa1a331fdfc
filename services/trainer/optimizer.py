"""How a network is moved by its gradients: Muon for its matrices and AdamW for the rest, or AdamW
(Loshchilov & Hutter 2017, arXiv:1711.05101) for all of it."""

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from trainer.network import Crnn
from trainer.recipe import Recipe

HEADS = ("logits", "shortcut")
PLAIN = ("bias", "gamma", "beta")
"""Variables that have nothing to decay towards."""

GATES = 4
"""Of an LSTM: its kernels are that many matrices, side by side."""


@keras.saving.register_keras_serializable("handwriting")
class Muon(keras.optimizers.Muon):  # type: ignore[misc]  # keras ships no types
    """Muon (Jordan et al. 2024; with AdamW's rates, Liu et al. 2025, arXiv:2502.16982, section
    2.2) for every matrix of the network.

    A step moves all directions of a matrix alike, by the orthogonal matrix nearest to its
    gradient. Keras's own leaves convolutions to AdamW and takes the kernels of an LSTM as one
    matrix; here the kernel of a convolution is the matrix (rows x columns x channels in, channels
    out), and each gate of an LSTM is one. Biases, normalisations and heads are AdamW's.
    """

    def build(self, variables: Sequence[Any]) -> None:
        super().build(variables)
        self._gated = ["lstm" in variable.path for variable in variables]

    def _should_use_adamw(self, variable: Any) -> bool:
        return len(variable.shape) < 2 or any(head in variable.path for head in HEADS)

    def _muon_update_step(self, gradient: Any, variable: Any, lr: Any, m: Any) -> None:
        self.assign_add(m, ops.add(gradient, m * (self.momentum - 1)))
        ahead = ops.add(gradient, m * self.momentum)
        shape = tuple(variable.shape)
        rows, columns = math.prod(shape[:-1]), shape[-1]
        if self._gated[self._get_variable_index(variable)]:
            columns //= GATES
            matrices = ops.transpose(ops.reshape(ahead, (rows, GATES, columns)), (1, 0, 2))
            step = self.zeropower_via_newtonschulz5(matrices, self.ns_steps)
            step = ops.reshape(ops.transpose(step, (1, 0, 2)), shape)
        else:
            matrix = ops.reshape(ahead, (rows, columns))
            step = ops.reshape(self.zeropower_via_newtonschulz5(matrix, self.ns_steps), shape)
        scale = math.sqrt(max(rows, columns)) * self.rms_rate
        self.assign_sub(variable, lr * scale * step)


def compile_model(model: Crnn, recipe: Recipe) -> None:
    """Give the network its optimizer."""
    given = {"weight_decay": recipe.weight_decay, "global_clipnorm": 1.0}
    if recipe.optimizer == "muon":
        optimizer = Muon(
            recipe.learning_rate, adam_weight_decay=recipe.weight_decay, adam_beta_2=0.98, **given
        )
    else:
        optimizer = keras.optimizers.AdamW(recipe.learning_rate, **given)
    optimizer.exclude_from_weight_decay(var_names=list(PLAIN))
    # TensorFlow's CTC loss and changing widths do not go through XLA; JAX always compiles
    model.compile(optimizer=optimizer, jit_compile=keras.backend.backend() == "jax")


def recompile(model: Crnn, recipe: Recipe) -> None:
    """Give a loaded network its optimizer again: Keras forgets what is excluded from decay."""
    values = [ops.convert_to_numpy(variable) for variable in model.optimizer.variables]
    compile_model(model, recipe)
    model.optimizer.build(model.trainable_variables)
    for variable, value in zip(model.optimizer.variables, values, strict=True):
        variable.assign(value)
