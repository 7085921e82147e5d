"""Tables of labels, settings and rules: text that people write by hand, and what can be wrong with it."""

import gzip
import io
import json
import lzma
import zipfile
from collections.abc import Iterator
from typing import Any

from nephoscope.data.formats import CLOUDS
from tests.builders.datasets import cloud_rows
from tests.corpus.case import Case, damaged

IMAGES = ("a.jpg", "b.jpg", "c.jpg")
COLUMNS = "Image_Label,EncodedPixels"
ROWS = [row for name in IMAGES for row in cloud_rows(name, Fish="1 3 9 2")]
TABLE = "\n".join([COLUMNS, *ROWS]) + "\n"


def zipped(**files: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in files.items():
            archive.writestr(name.replace("_", "."), text)
    return content.getvalue()


def tables() -> list[Case]:
    """`train.csv`, plain and compressed. Each case lies in a folder of its own, because the name is fixed."""
    cases = [*sound_tables(), *refused_tables()]
    plain = Case("damage/train.csv", TABLE.encode())
    return [*cases, *(Case(f"{n:02d}/train.csv", c.content, certain=False) for n, c in enumerate(damaged(plain, 12)))]


def sound_tables() -> Iterator[Case]:
    yield Case("plain/train.csv", TABLE.encode())
    yield Case("windows/train.csv", TABLE.replace("\n", "\r\n").encode("utf-8-sig"))
    yield Case("no-last-end/train.csv", TABLE.rstrip().encode())
    yield Case("blank-lines/train.csv", TABLE.replace("\n", "\n\n").encode())
    yield Case(
        "quoted/train.csv",
        "\n".join([COLUMNS, *(f'"{row.replace(",", chr(34) + "," + chr(34))}"' for row in ROWS)]).encode(),
    )
    yield Case("more-columns/train.csv", "\n".join([f"{COLUMNS},by", *(f"{row},me" for row in ROWS)]).encode())
    yield Case("xz/train.csv.xz", lzma.compress(TABLE.encode()))
    yield Case("gz/train.csv.gz", gzip.compress(TABLE.encode(), mtime=0))
    yield Case("zip/train.csv.zip", zipped(train_csv=TABLE))


def refused_tables() -> Iterator[Case]:
    rles = {
        "odd": ("1 3 9", "odd count"),
        "words": ("one three", "not a number"),
        "zero-length": ("1 0", "empty run"),
        "zero-start": ("0 5", "run out of bounds"),
        "negative": ("-4 5", "run out of bounds"),
        "beyond": (f"{CLOUDS.rle_shape[0] * CLOUDS.rle_shape[1]} 2", "run out of bounds"),
        "overlap": ("1 5 3 4", "overlapping runs"),
        "huge": ("1 " + "9" * 5000, "not a number"),
        "float": ("1.5 2", "not a number"),
        "nan": ("nan", "odd count"),
    }
    for name, (rle, message) in rles.items():
        yield Case(f"rle-{name}/train.csv", TABLE.replace("1 3 9 2", rle, 1).encode(), message)
    yield Case("empty/train.csv", b"", "the file is empty")
    yield Case("header-only/train.csv", f"{COLUMNS}\n".encode(), "")
    yield Case("other-columns/train.csv", b"image,mask\na.jpg,1 2\n", "the columns are image, mask; expected")
    yield Case("latin/train.csv", TABLE.replace("a.jpg", "ä.jpg").encode("latin-1"), "not written in UTF-8")
    yield Case("utf-16/train.csv", TABLE.encode("utf-16"), "not written in UTF-8")
    yield Case("unknown-class/train.csv", TABLE.replace("_Fish", "_Fisch").encode(), "'Fisch' of 'a.jpg'; known")
    yield Case("twice/train.csv", (TABLE + ROWS[0] + "\n").encode(), "is already on line 2")
    yield Case("missing-row/train.csv", TABLE.replace(ROWS[1] + "\n", "").encode(), "a.jpg has no row for Flower")
    yield Case("missing-image/train.csv", (TABLE + "\n".join(cloud_rows("z.jpg")) + "\n").encode(), "z.jpg is not in")
    yield Case("extra-image/train.csv", TABLE.replace("\n".join(ROWS[:4]) + "\n", "").encode(), "the image has no rows")
    yield Case("cells/train.csv", TABLE.replace(ROWS[0], ROWS[0] + ",1,2").encode(), "4 cells, but 2 columns")
    yield Case("open-quote/train.csv", TABLE.replace("1 3 9 2", '"1 3 9 2', 1).encode(), "")
    yield Case("nul/train.csv", TABLE.replace("1 3 9 2", "1 3\0 9 2", 1).encode(), "")
    yield Case("binary/train.csv", bytes(range(256)) * 20, "")
    yield Case("cut-xz/train.csv.xz", lzma.compress(TABLE.encode())[:-20], "cannot be read")
    yield Case("cut-gz/train.csv.gz", gzip.compress(TABLE.encode(), mtime=0)[:-9], "cannot be read")
    yield Case("text/train.csv.zip", b"no archive", "cannot be read")
    yield Case("two/train.csv.zip", zipped(a_csv=TABLE, b_csv=TABLE), "holds 2 CSV files")
    yield Case("none/train.csv.zip", zipped(readme_txt="none"), "holds 0 CSV files")
    for name, pack in (("xz", lzma.compress), ("gz", gzip.compress)):
        yield Case(f"bomb-{name}/train.csv.{name}", pack(TABLE.encode() + b" " * 20_000_000), "more than 1000000 bytes")


def settings() -> list[Case]:
    """`params.yaml`."""
    sound = [
        "",
        "{}",
        "# nothing\n",
        "tune: {}\n",
        "prepare: {seed: 7}\n",
        '{"tune": {"folds": 3}}',
        "---\ntune:\n  folds: 3\n",
    ]
    refused = {
        "unknown-section": ("tunes: {}", "unknown; known here: evaluate"),
        "unknown-key": ("tune: {fold: 3}", "tune.fold: unknown; known here"),
        "wrong-type": ("tune: {folds: many}", "tune.folds"),
        "negative": ("prepare: {folds: -2}", "prepare.folds"),
        "nan": ("prepare: {validation_share: .nan}", "prepare.validation_share"),
        "infinite": ("prepare: {validation_share: .inf}", "prepare.validation_share"),
        "list": ("[1, 2]", "the file"),
        "text": ("just words", "the file"),
        "number": ("7", "the file"),
        "tab": ("tune:\n\tfolds: 3", "not readable as YAML"),
        "open-brace": ("tune: {folds: 3", "not readable as YAML"),
        "python-object": ("tune: !!python/object/apply:os.system ['true']", "not readable as YAML"),
        "anchor-loop": ("tune: &a {x: *a}", ""),
        "two-documents": ("tune: {}\n---\ntune: {}", "not readable as YAML"),
        "null-section": ("tune:", "tune"),
        "control": ("tune: \x01", "not readable as YAML"),
        "range": ("tune: {pixel_thresholds: {first: 1, last: 300, step: 0}}", "tune.pixel_thresholds"),
        "range-of-billions": ("tune: {min_areas: {first: 0, last: 999999999999, step: 1}}", "more than 100000"),
        "levels": ("tune: {pixel_thresholds: [0, 256]}", "tune.pixel_thresholds"),
        "date": ("tune: {folds: 2020-01-26}", "tune.folds"),
        "bytes": ("tune: {folds: !!binary aGVsbG8=}", "tune.folds"),
        "laughs": (laughs(), ""),
    }
    cases = [Case(f"sound-{number}.yaml", text.encode()) for number, text in enumerate(sound)]
    cases += [Case(f"{name}.yaml", text.encode(), message) for name, (text, message) in refused.items()]
    cases += [Case("latin.yaml", "report: {title: Wölkchen}".encode("latin-1"), "not readable as YAML")]
    return [*cases, *damaged(Case("whole.yaml", b"tune:\n  folds: 3\nprepare:\n  seed: 7\n  folds: 2\n"), 20)]


def laughs() -> str:
    """A text that would grow to a billion words."""
    lines = ["a0: &a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha, ha]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    return "\n".join(lines)


def rules(sound: dict[str, Any]) -> list[Case]:
    """`rules.json`: made of sound rules, as a run wrote them."""

    def changed(**values: Any) -> bytes:
        return json.dumps({**sound, **values}).encode()

    first = sound["rules"][0]
    refused: dict[str, bytes] = {
        "empty": b"",
        "text": b"no rules",
        "list": b"[]",
        "null": b"null",
        "cut": changed()[:-40],
        "latin": changed(classes=["Wölkchen", "b", "c", "d"]).decode().encode("latin-1") + b"\xe4",
        "no-rules": changed(rules=[]),
        "one-rule": changed(rules=[first]),
        "no-classes": changed(classes=[]),
        "unknown-key": changed(surprise=1),
        "weight": changed(classifier_weight=1.5),
        "weight-nan": changed(classifier_weight=float("nan")),
        "threshold-0": changed(rules=[{**first, "pixel_threshold": 0}, *sound["rules"][1:]]),
        "threshold-256": changed(rules=[{**first, "pixel_threshold": 256}, *sound["rules"][1:]]),
        "threshold-text": changed(rules=[{**first, "pixel_threshold": "high"}, *sound["rules"][1:]]),
        "area": changed(rules=[{**first, "min_area": -1}, *sound["rules"][1:]]),
        "shape": changed(output_shape=[350]),
        "shape-0": changed(output_shape=[0, 525]),
        "slope": changed(classifier_calibrations=[{"slope": float("inf"), "intercept": 0.0}] * len(sound["classes"])),
    }
    cases = [
        Case("sound.json", changed()),
        *(Case(f"{name}.json", text, "holds no rules") for name, text in refused.items()),
    ]
    return [*cases, *damaged(Case("whole.json", changed()), 20)]
