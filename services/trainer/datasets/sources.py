"""Sets that `trainer fetch` brings: where they lie, which revision, under which licence.

The open ones are repositories with page images and PAGE XML or ALTO, at one revision each. Their
archives are packed anew when asked for, so that the bytes may differ from day to day: what is
checked is the listing, a digest over every file. To make one from a clone of a repository:

    git -c core.quotePath=false ls-tree -r --format='%(objecttype) %(objectname) %(path)' REV |
      grep ^blob | cut -d' ' -f2- | LC_ALL=C sort -k2 | sha256sum

Their splits in `splits/` are by document: no letter, will or writer straddles two.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from trainer.datasets.emnist_files import LICENCE as EMNIST_LICENCE
from trainer.datasets.iam import LICENCE
from trainer.datasets.iam_layout import SITE
from trainer.datasets.page import Choice

SPLITS = Path(__file__).parent / "splits"

# Struck out, added, illegible, doubtful, superscript: signs of editors, which nobody wrote
MARKS = "<>[]{}^~*#∞→⋎⟦⟧ᗅᑕᗞ"


@dataclass(frozen=True, slots=True)
class Source:
    """A data set in one archive on the web. One row of `SOURCES` adds one."""

    name: str
    """Of the folder it is put in, and on the command line."""
    url: str
    licence: str
    """One line: whose data, under which licence."""
    about: str = ""
    """A few words on what it holds."""
    megabytes: int = 0
    """To download, about; unpacked it takes as much again."""
    checksum: str | None = None
    """`sha256:...` or `md5:...`. None where it is not known: the first archive fetched is then
    held to."""
    listing: str | None = None
    """See `trainer.datasets.listing`; for archives whose own bytes may change."""
    terms: str | None = None
    """What has to be accepted first, with its address; None for open data."""
    choice: Choice | None = field(default=None)
    """Which lines of its pages are taken; None where it is not made of pages."""
    members: tuple[str, ...] = ()
    """Patterns of the names of the files that are kept of the archive; none keeps all of it."""

    @property
    def filename(self) -> str:
        return PurePosixPath(unquote(urlsplit(self.url).path)).name or f"{self.name}.archive"

    @property
    def splits(self) -> Path:
        """A `pages.tsv` for its pages."""
        return SPLITS / f"{self.name}.tsv"


def _pages(
    name: str,
    repository: str,
    revision: str,
    listing: str,
    *,
    about: str,
    megabytes: int,
    licence: str,
    kinds: tuple[str, ...] = (),
    marks: str = MARKS,
    longest_word: int = 0,
) -> Source:
    """Pages in a repository at a revision."""
    return Source(
        name=name,
        url=f"https://github.com/{repository}/archive/{revision}.zip",
        licence=f"{licence}, https://github.com/{repository}",
        about=about,
        megabytes=megabytes,
        listing=listing,
        choice=Choice(kinds=kinds, marks=marks, longest_word=longest_word),
    )


IAM = Source(
    name="iam",
    url=(
        "https://github.com/sayakpaul/Handwriting-Recognizer-in-Keras/releases/download/v1.0.0/"
        "IAM_Words.zip"
    ),
    licence=LICENCE,
    about="English words, 657 writers",
    megabytes=182,
    terms=f"non-commercial research only, citing Marti and Bunke (2002): {SITE}",
)

EMNIST = Source(
    name="emnist",
    url="https://biometrics.nist.gov/cs_links/EMNIST/gzip.zip",
    licence=EMNIST_LICENCE,
    about="single characters, 814,255 in 62 classes",
    megabytes=536,
    checksum="md5:58c8d27c78d21e728a6bc7b3cc06412e",  # as torchvision has it
    members=("emnist-byclass-*",),
)

_ALL = (
    IAM,
    EMNIST,
    _pages(
        "hooker",
        "jschaefer738b/JosephHookerHTR",
        "ece582973283818621e956163f295fcde672786c",
        "b7913eae5237156be0c3f47e10e604e9c67e67aa0e14f1d359e113be5aec060b",
        about="English letters 1850-1911, one main hand",
        megabytes=484,
        licence=(
            "Joseph Hooker HTR (Schaefer and Litvine, 2023; images: Board of Trustees of the "
            "Royal Botanic Gardens, Kew), CC BY-SA 4.0 by its HTR-United entry"
        ),
    ),
    _pages(
        "copiste",
        "banq-dcn/Copiste-d-un-jour",
        "a3636d2e151b4312973cfb88438a0c4ccd1eb523",
        "38d213b46cbaac235945a83cbb244d7d0d047dd898d5db046a4431ef50798334",
        about="French, 2024, some 230 volunteers",
        megabytes=270,
        licence=(
            "Copiste d'un jour (Bibliothèque et Archives nationales du Québec, 2024), CC BY 4.0; "
            "the sentence its volunteers copied says 'à des fins non commerciales'"
        ),
    ),
    _pages(
        "peraire",
        "alix-tz/peraire-ground-truth",
        "61b321ed05fc1d40e6c6e4351fd2162fd5bff478",
        "ce46b995b59c49772e236f34f741e298293da7955709b52655ce01ff54f2e0f0",
        about="French notebooks 1928-1990, one hand",
        megabytes=215,
        licence="Peraire Ground Truth (Chagué and Pérez), CC BY 4.0",
        kinds=("DefaultLine",),
    ),
    _pages(
        "cremma_mss19",
        "HTR-United/CREMMA-MSS-19",
        "d8f466de72561cd989f957d75a6743c5d8f0a262",
        "ddcbb0933ede3ec8de16d8ce5b52d4ee879bed9c60518612ce37131225643876",
        about="French, 19th century, ten documents",
        megabytes=70,
        licence="CREMMA Manuscrits du 19e (Clérice, Chagué and the transcribers), CC BY 4.0",
        kinds=("DefaultLine",),
    ),
    _pages(
        "cremma_mss20",
        "HTR-United/CREMMA-MSS-20",
        "f737d0cb53d28edf1573c5956460bfdd58be6267",
        "bdef69637829b983ce48d23c2127a277efb171c806df69a22d110dcd4d8df17d",
        about="French, 20th century, two documents",
        megabytes=8,
        licence="CREMMA Manuscrits du 20e (CREMMA, HTR-United), CC BY 4.0",
        kinds=("DefaultLine",),
    ),
    _pages(
        "poilus",
        "HTR-United/CREMMA-AN-TestamentsDePoilus",
        "8ffa4a8cd40f691d68f188e2ed1c6458bf2d6ec9",
        "88df476eb473998270e65688e63d29aec9407d63b2120e6d53960fdbdec76a9e",
        about="French wills 1898-1918, 146 hands",
        megabytes=340,
        licence=(
            "CREMMA-AN-TestamentDePoilus (HTR-United, CREMMA, Archives nationales), CC BY 4.0"
        ),
        kinds=("DefaultLine",),
    ),
    _pages(
        "stanford1905",
        "PSL-Chartes-HTR-Students/HN2021-Memorials_Jane_Lathrop_Stanford",
        "9266adbc8aea6564b4b8447bcbe205ae1c1e87f2",
        "9a7c983191d799a4e3a0de9b5e1b53b83dde7efaec36a5a594fb0e4efdbab64c",
        about="English letters 1905, several hands",
        megabytes=74,
        licence=(
            "Memorials for Jane Lathrop Stanford (Guimarães, Maurel, Ozturk and Chagué; images: "
            "Stanford University Archives), CC BY 4.0"
        ),
        kinds=("DefaultLine:Handwritten",),
    ),
    _pages(
        "celestine",
        "alix-tz/dataset-celestine-doniau-danest",
        "645616d5cc8ffd0d84fd63284cde0647f17a1167",
        "beb483e1398ae40d20ae90933315b9cafb7376b5e5de3450e05c42d228ec5a68",
        about="French letters 1914-15",
        megabytes=3,
        licence="GT Celestine Doniau-Danest (Chagué, Cissé, Kichou and others), CC BY 4.0",
    ),
    _pages(
        "timeus",
        "HTR-United/timeuscorpus",
        "df8ee63837dabe79c511e8aa748f465da5e2d5e5",
        "eb900eb49514f5e13cdec9b91c10d1eff10f4aa2d249d76171dd61e8cadcca14",
        about="French judgements of a labour court, 1858 and 1878",
        megabytes=250,
        licence="Time Us Corpus (Chagué, Champougny, Meissel and others), CC BY 4.0",
    ),
    _pages(
        "lectaurep",
        "HTR-United/lectaurep-repertoires",
        "3d1c86cf5389265a1ce8b620301d36b4709eb435",
        "63e70ddb111262ef5a3337afd739c1add5fc6667a1b22aae54a341be3f16402e",
        about="French registers of notaries 1830-1939, short entries",
        megabytes=410,
        licence=(
            "Notaires de Paris - Répertoires (Lectaurep, Rostaing, Durand and Chagué), CC BY 4.0"
        ),
        kinds=("", "First_line", "Main_date"),  # the others are printed
        marks=MARKS + "&|",  # & is escaped twice there
        longest_word=15,
    ),
    _pages(
        "cremma_mss18",
        "HTR-United/CREMMA-MSS-18",
        "e4a89141807513b61c1f750d83da820314c777d8",
        "b12f16581c228f9281d5c0c43518331c7e8b47093d5939b5d2154b90b6599a72",
        about="French, 18th century, nine documents",
        megabytes=290,
        licence="CREMMA-MSS-18 (Van Kote, Faure, Norindr, Clérice and Chagué), CC BY 4.0",
    ),
    _pages(
        "front_justice",
        "Front-Justice/htr-front-justice",
        "282bda91b5917c73ddde3e2950b2126f1537b714",
        "f524be3dfa56ef5a9819dc8a2e499d088dd7f465debfd5296bbc2ec2faaee1b4",
        about="French minutes of courts martial 1914-19, many hands",
        megabytes=1200,  # at least: larger images than 4 MiB were not at hand
        licence="HTR Front Justice (Burnel and Vitali), CC BY 4.0",
        kinds=("DefaultLine",),
        longest_word=18,  # dotted leaders of printed forms
    ),
    _pages(
        "fondue_mss18",
        "FoNDUE-HTR/FONDUE-FR-MSS-18",
        "e07c45a6ca0a5ba6a479d216f6d3eaf17a458d76",
        "a92e581bf73caf1193ce69ee967e6f1c4cd0b83b2e0489f73096329f301284ae",
        about="French, 18th century, ten documents",
        megabytes=750,  # at least, as above
        licence=(
            "FONDUE-FR-MSS-18 (Nahon, Cicchini, Jaureguy and others), annotation CC BY 4.0; the "
            "images belong to their libraries"
        ),
        kinds=("DefaultLine",),
    ),
)

SOURCES: Mapping[str, Source] = {source.name: source for source in _ALL}
