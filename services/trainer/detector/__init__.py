"""The line detector: a small fully convolutional network that says where lines run on a page."""
