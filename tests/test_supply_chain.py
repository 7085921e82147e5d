"""What is installed is known: hashes of all packages, and tests of pages that cannot be skipped in CI."""

import re

import pytest

from docs import lock
from tests.builders import browser
from tests.builders.source_tree import ROOT

REQUIREMENT = re.compile(r"([a-z0-9._-]+)==(\S+) --hash=sha256:[0-9a-f]{64}")


def read_versions(name: str) -> dict[str, str]:
    """Lower-case package → version."""
    lines = (ROOT / name).read_text("utf-8").splitlines()
    pairs = (line.split(" ")[0].split("==") for line in lines if line and not line.startswith("#"))
    return {package.lower(): version for package, version in pairs}


def test_every_package_has_one_hash_and_no_address() -> None:
    lines = lock.TARGET.read_text("utf-8").splitlines()
    packages = [line for line in lines if not line.startswith("#")]
    assert len(packages) > 200
    assert all(REQUIREMENT.fullmatch(line) for line in packages)


def test_hashes_are_those_of_the_constrained_versions() -> None:
    hashed, constrained = read_versions("constraints-hashed.txt"), read_versions("constraints.txt")
    other = {name: version for name, version in hashed.items() if constrained.get(name, version) != version}
    assert not other, "run `python -m docs.lock`"


def package(name: str, **info: object) -> dict[str, object]:
    return {"metadata": {"name": name, "version": "1.0"}, "download_info": info}


def test_hashes_come_from_the_report_of_pip() -> None:
    hashes = {"hashes": {"sha256": "ab" * 32}}
    report = [
        package("Zlib", url="https://index.example/zlib.whl", archive_info=hashes),
        package("nephoscope", url="file:///home", dir_info={}),
        package("affine", url="file:///mirror/affine.whl", archive_info=hashes),
    ]
    *comments, first, second = lock.render(report).splitlines()
    assert all(line.startswith("# ") for line in comments)
    assert [first, second] == [f"{name}==1.0 --hash=sha256:{'ab' * 32}" for name in ("affine", "zlib")]


@pytest.mark.parametrize(("ci", "outcome"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)])
def test_without_chromium_tests_of_pages_fail_in_ci(
    monkeypatch: pytest.MonkeyPatch, ci: str, outcome: type[BaseException]
) -> None:
    monkeypatch.setenv("CI", ci)
    monkeypatch.setattr(browser.shutil, "which", lambda _: None)
    with pytest.raises(outcome, match="Chromium is not installed"):
        browser.find_chromium()


def test_ci_says_that_it_is_ci() -> None:
    assert "export CI=true" in (ROOT / ".ci/run").read_text("utf-8").splitlines()
