# SPDX-License-Identifier: MIT
"""Builds the wheel of the package, with libworkpool.so in it: `pip install Sources/Python` and
`make python`. A build backend of its own (PEP 517), so that an install needs nothing but pip.

    python3 make_wheel.py LIBRARY FOLDER
"""
import base64
import hashlib
import os
import pathlib
import re
import sys
import sysconfig
import tarfile
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
NAME, VERSION = (
    re.search(rf'^{key} = "(.*)"$', (HERE / "pyproject.toml").read_text(), re.MULTILINE)[1]
    for key in ("name", "version")
)
BUILT = HERE.parents[1] / "build" / "lib" / "libworkpool.so"
EPOCH = (1980, 1, 1, 0, 0, 0)  # the same files make the same wheel


def _metadata():
    return (
        f"Metadata-Version: 2.1\nName: {NAME}\nVersion: {VERSION}\n"
        "Summary: Ordered parallel pipelines over blocks of bytes\nLicense: MIT\n"
        "Requires-Python: >=3.9\nClassifier: Typing :: Typed\n"
        "Description-Content-Type: text/markdown\n\n" + (HERE / "README.md").read_text()
    )


def _write(path, tag, files):
    """Writes a wheel: the files, then what says that they are a wheel (PEP 427)."""
    info = f"{NAME}-{VERSION}.dist-info"
    pure = str(tag.endswith("-any")).lower()
    files = {
        **files,
        f"{info}/METADATA": _metadata().encode(),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: make_wheel\nRoot-Is-Purelib: {pure}\n"
        f"Tag: {tag}\n".encode(),
    }
    record = []
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        for name, content in files.items():
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=")
            record.append(f"{name},sha256={digest.decode()},{len(content)}\n")
            _add(wheel, name, content)
        record.append(f"{info}/RECORD,,\n")
        _add(wheel, f"{info}/RECORD", "".join(record).encode())
    return os.path.basename(path)


def _add(wheel, name, content):
    entry = zipfile.ZipInfo(name, EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = (0o755 if ".so" in name else 0o644) << 16
    wheel.writestr(entry, content)


def make_wheel(library, folder):
    """A wheel with the library, or (None) one that finds it on the system."""
    files = {
        f"{NAME}/{path.name}": path.read_bytes()
        for path in sorted((HERE / NAME).iterdir())
        if path.suffix in (".py", ".typed")
    }
    tag = "py3-none-any"
    if library is not None:
        tag = "py3-none-" + re.sub(r"[-.]", "_", sysconfig.get_platform())
        files[f"{NAME}/libworkpool.so.0"] = pathlib.Path(library).read_bytes()
    return _write(os.path.join(folder, f"{NAME}-{VERSION}-{tag}.whl"), tag, files)


# ----- what pip calls -------------------------------------------------------------------------


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    library = os.environ.get("WORKPOOL_LIBRARY") or (BUILT if BUILT.exists() else None)
    if library is None:
        print("workpool: no build/lib/libworkpool.so (make lib): the wheel will not carry it")
    return make_wheel(library, wheel_directory)


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    tag = "py3-none-any"
    path = os.path.join(wheel_directory, f"{NAME}-{VERSION}-{tag}.whl")
    return _write(path, tag, {f"{NAME}.pth": f"{HERE}\n".encode()})


def build_sdist(sdist_directory, config_settings=None):
    root = f"{NAME}-{VERSION}"
    path = os.path.join(sdist_directory, f"{root}.tar.gz")
    with tarfile.open(path, "w:gz") as archive:
        for name in ("pyproject.toml", "README.md", "make_wheel.py"):
            archive.add(HERE / name, f"{root}/{name}")
        for file in sorted((HERE / NAME).glob("*.py*")) + [HERE / NAME / "py.typed"]:
            if file.is_file():
                archive.add(file, f"{root}/{NAME}/{file.name}")
    return os.path.basename(path)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    os.makedirs(sys.argv[2], exist_ok=True)
    print(os.path.join(sys.argv[2], make_wheel(sys.argv[1], sys.argv[2])))
