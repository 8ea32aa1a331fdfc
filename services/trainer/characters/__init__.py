"""A classifier of single characters: what `train --task characters` makes of EMNIST."""
