"""A stand-in for any stage: `python stand_in.py STAGE` writes what dvc.yaml says that the stage writes.

The content is a digest of what the stage depends on, so a change travels down the pipeline as it does in real runs.
"""

import sys
from hashlib import sha256
from pathlib import Path

import yaml


def main(stage: str) -> None:
    description = yaml.safe_load(Path("dvc.yaml").read_text("utf-8"))["stages"][stage]
    deps = [Path(dep.replace("${prepare.root}", "artifacts/synthesize/dataset")) for dep in description["deps"]]
    files = [path for dep in deps for path in sorted([dep, *dep.rglob("*")]) if path.suffix in (".py", ".txt", ".json")]
    digest = sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
    for out in map(Path, description["outs"] + description.get("metrics", [])):
        path = out if out.suffix else out / "content.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'"{stage} {digest}"' if out.suffix == ".json" else f"{stage} {digest}")
    with Path("ran.log").open("a") as log:
        print(stage, file=log)


if __name__ == "__main__":
    main(sys.argv[1])
