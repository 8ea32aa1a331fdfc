"""An image to try the API with, and an address as one may be given."""

IMAGE_URL = "https://images.example.org/line.png"

IMAGE = (
    "data:image/png;base64,"
    "iVBORw0KGgoAAAANSUhEUgAAAFYAAAAoAgMAAAAZEOXVAAAADFBMVEX////FxcUwMDAAAADzz/q/AAABKUlE"
    "QVR42uWQMUoDURCGv3m+bCDbvIBKwMIjxBv4jmDnMWzsLIyNdY6QIjZWewFlj5ADpEgaIbiQV6is5G3Gwt1k"
    "IRcQHHjMzMfPPzMP/lLc1nnKtI1f6lxSNsjUDyAhaWP8by1IGx9SDPtG0dZEqRvZyrat1sOdDaBmgbx6QeBs"
    "t/pRlZakOjOVqbivGtyNw4qhLkxlKlHdmcSxcMVAEBIdjWp1+qkq+hi7sRvT8nJUq60B0TshEo/j73EG3MeX"
    "dvRELRZXkDfedo41q5JIdME3Ix0ZFuY22uj3GPeg7v35wgUXyH1j4rYob9c4HBhtsN90IgCBQKd1DrFwp2MX"
    "XGCwAcAChS3i+Wq5zn2ezZYNzoSwgUnWX/cDk+arer7ruXmiR4/km38UP6qObXaNojzyAAAAAElFTkSuQmCC"
)
"""The word "hello", 86 x 40 pixels."""
