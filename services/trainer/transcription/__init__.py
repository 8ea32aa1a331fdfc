"""Reading whole corpora of images: listing them, reading them on Ray, keeping what was read."""
