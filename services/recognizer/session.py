"""Networks opened by onnxruntime."""

from functools import cache
from pathlib import Path

import onnxruntime

from recognizer.errors import BundleError


def open_session(
    network: Path, threads: int, *, keeps_memory: bool = True
) -> onnxruntime.InferenceSession:
    """A network with so many threads inside an inference, 0 as onnxruntime has it.

    Args:
        keeps_memory: what an inference took stays for the next one, which is quicker; not for
            networks that need much and are seldom asked.

    Raises:
        BundleError: the file cannot be opened as a network.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    options.enable_cpu_mem_arena = keeps_memory
    if keeps_memory:
        _one_arena()
        options.add_session_config_entry("session.use_env_allocators", "1")
        # weights stay as long as the network: in the arena they would keep all around them there
        options.add_session_config_entry("session.use_device_allocator_for_initializers", "1")
    # threads that wait for each other within an inference spin; between two they sleep
    options.add_session_config_entry("session.force_spinning_stop", "1")
    try:
        return onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors share no base class
        raise BundleError(network, f"cannot be opened: {reason_of(error)}") from error


@cache
def _one_arena() -> None:
    """One place in this process for what inferences work on: each network had one of its own."""
    memory = onnxruntime.OrtMemoryInfo(
        "Cpu",
        onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR,
        0,
        onnxruntime.OrtMemType.DEFAULT,
    )
    onnxruntime.create_and_register_allocator(memory, None)


def releasing() -> onnxruntime.RunOptions:
    """For an inference after which the arena keeps what is in use and no more."""
    options = onnxruntime.RunOptions()
    options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    return options


def reason_of(error: Exception) -> str:
    """The first line of what an error says, or its name."""
    return str(error).splitlines()[0] if str(error) else type(error).__name__
