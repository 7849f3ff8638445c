"""Installing a bundle: atomic under kills, no silent downgrade, the last good one kept, hostile files refused."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from amparo import DEVELOPMENT_KEY, Guard, Message, Policy, Status, shipped_bundle
from amparo.bundle import FILES, MANIFEST, SIGNATURE, pack, read_bundle
from amparo.cli import main
from amparo.errors import BundleError, BundleFormatError, BundleSignatureError, BundleVersionError
from amparo.install import install, installed, roll_back

from .test_bundle import change_manifest, flip

KEYS = [DEVELOPMENT_KEY]
SHIPPED = read_bundle(shipped_bundle(), KEYS).manifest.version


@pytest.fixture
def newer(tmp_path: Path) -> Path:
    folder = Path(shutil.copytree(shipped_bundle(), tmp_path / "newer"))
    change_manifest(folder, version="9.10.0")
    return folder


def test_an_update_is_installed_and_opened(newer: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    assert install(shipped_bundle(), root, KEYS).manifest.version == SHIPPED
    now = install(newer, root, KEYS)
    assert now.manifest.version == "9.10.0" and not now.fallback
    guard = Guard.open(now.path, trusted_keys=KEYS, policy=Policy.for_age(12))
    assert guard.status is Status.READY and guard.conversation("c").assess(Message("contact", "hello"))
    assert len(list((root / "bundles").iterdir())) == 2


def test_an_older_one_needs_the_word(newer: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    install(newer, root, KEYS)
    with pytest.raises(BundleVersionError, match="older"):
        install(shipped_bundle(), root, KEYS)
    assert installed(root, KEYS).manifest.version == "9.10.0"
    assert install(shipped_bundle(), root, KEYS, rollback=True).manifest.version == SHIPPED
    assert roll_back(root, KEYS).manifest.version == "9.10.0"


def test_a_version_is_compared_by_numbers(newer: Path, tmp_path: Path) -> None:
    install(newer, tmp_path / "root", KEYS)
    change_manifest(newer, version="9.9.0")
    with pytest.raises(BundleVersionError):
        install(newer, tmp_path / "root", KEYS)


def test_a_bad_bundle_leaves_the_good_one(newer: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    install(shipped_bundle(), root, KEYS)
    flip(newer / "guard.onnx", 5_000_000)
    with pytest.raises(BundleSignatureError):
        install(newer, root, KEYS)
    assert installed(root, KEYS).manifest.version == SHIPPED
    assert len(list((root / "bundles").iterdir())) == 1


def test_a_bundle_damaged_on_the_disk_gives_way_to_the_last_good_one(newer: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    install(shipped_bundle(), root, KEYS)
    now = install(newer, root, KEYS)
    flip(now.path / "tokenizer.amtk", 1000)
    again = installed(root, KEYS)
    assert again.fallback and again.manifest.version == SHIPPED
    assert install(newer, root, KEYS).manifest.version == "9.10.0"
    flip(installed(root, KEYS).path / "tokenizer.amtk", 1000)
    assert installed(root, KEYS).manifest.version == SHIPPED  # the good one was kept, not the damaged one


def test_going_back_with_nothing_behind_is_an_error(tmp_path: Path) -> None:
    install(shipped_bundle(), tmp_path / "root", KEYS)
    with pytest.raises(BundleFormatError, match="earlier"):
        roll_back(tmp_path / "root", KEYS)
    with pytest.raises(BundleFormatError, match="installed"):
        installed(tmp_path / "nowhere", KEYS)


@pytest.mark.parametrize(
    "pointer",
    [b"", b"{", b"[]", b'{"current": "../../etc", "previous": null}', b'{"current": 1, "previous": 2}'],
)
def test_a_pointer_that_was_tampered_with_leads_nowhere(tmp_path: Path, pointer: bytes) -> None:
    root = tmp_path / "root"
    install(shipped_bundle(), root, KEYS)
    (root / "installed.json").write_bytes(pointer)
    with pytest.raises(BundleError):
        installed(root, KEYS)
    assert install(shipped_bundle(), root, KEYS).manifest.version == SHIPPED


KILLED = """
import os, signal, sys
from pathlib import Path
from amparo import install
left = int(sys.argv[1])
def counted(name, real):
    def call(*given, **named):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*given, **named)
    return call
for owner, name in ((install, "_write"), (install, "_sync"), (Path, "rename"), (Path, "replace"), (install.shutil, "rmtree")):
    setattr(owner, name, counted(name, getattr(owner, name)))
install.install(Path(sys.argv[2]), Path(sys.argv[3]), [sys.argv[4]])
"""


def test_killed_at_any_point_there_is_the_old_one_or_the_new_one(newer: Path, tmp_path: Path) -> None:
    seen = set()
    for step in range(1, 40):
        root = tmp_path / f"root{step}"
        install(shipped_bundle(), root, KEYS)
        arguments = [sys.executable, "-c", KILLED, str(step), str(newer), str(root), DEVELOPMENT_KEY]
        status = subprocess.run(arguments, check=False).returncode
        now = installed(root, KEYS)
        seen.add(now.manifest.version)
        assert not now.fallback
        if status == 0:
            break
        assert status == -signal.SIGKILL
        assert install(newer, root, KEYS).manifest.version == "9.10.0"
        assert {p.name for p in (root / "bundles").iterdir()} <= set(
            json.loads((root / "installed.json").read_bytes()).values()
        )
        shutil.rmtree(root)
    assert status == 0 and step > 10 and seen == {SHIPPED, "9.10.0"}


def packed(tmp_path: Path) -> Path:
    pack(shipped_bundle(), tmp_path / "guard.amparo")
    return tmp_path / "guard.amparo"


def test_the_single_file_is_the_same_bundle_and_the_same_bytes(tmp_path: Path) -> None:
    file = packed(tmp_path)
    assert read_bundle(file, KEYS).parts == read_bundle(shipped_bundle(), KEYS).parts
    assert file.stat().st_size < 20_000_000
    before = file.read_bytes()
    assert packed(tmp_path).read_bytes() == before
    assert install(file, tmp_path / "root", KEYS).manifest.version == SHIPPED


def rewritten(file: Path, **changes: bytes | None) -> None:
    with zipfile.ZipFile(file) as archive:
        parts: dict[str, bytes | None] = {n: archive.read(n) for n in archive.namelist()}
    parts |= {name.replace("_", ".", 1): blob for name, blob in changes.items()}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, blob in parts.items():
            if blob is not None:
                archive.writestr(name, blob)


def test_a_bomb_is_refused_before_it_unfolds(tmp_path: Path) -> None:
    file = packed(tmp_path)
    rewritten(file, guard_onnx=b"\0" * (65 << 20))
    assert file.stat().st_size < 2_000_000
    with pytest.raises(BundleFormatError, match="larger"):
        read_bundle(file, KEYS)


@pytest.mark.parametrize("flaw", ["cut", "no zip", "a name too many", "a file missing", "a path", "swapped"])
def test_a_hostile_file_is_a_typed_error(tmp_path: Path, flaw: str) -> None:
    file = packed(tmp_path)
    blob = file.read_bytes()
    if flaw == "cut":
        file.write_bytes(blob[:-3000])
    elif flaw == "no zip":
        file.write_bytes(b"no bundle at all")
    elif flaw == "a name too many":
        rewritten(file, extra_txt=b"x")
    elif flaw == "a file missing":
        rewritten(file, manifest_sig=None)
    elif flaw == "a path":
        with zipfile.ZipFile(file, "a") as archive:
            archive.writestr("../guard.onnx", b"x")
    else:
        rewritten(file, tokenizer_amtk=b"another table")
    with pytest.raises(BundleError):
        install(file, tmp_path / "root", KEYS)
    assert not (tmp_path / "root").exists()


def test_on_the_command_line(newer: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, root = str(tmp_path / "b.amparo"), str(tmp_path / "root")
    assert main(["bundle", "pack", str(shipped_bundle()), file]) == 0
    assert main(["bundle", "verify", file]) == 0
    assert main(["bundle", "install", str(newer), root]) == 0
    assert main(["bundle", "install", file, root]) == 2
    assert "older" in capsys.readouterr().err
    assert main(["bundle", "install", file, root, "--rollback"]) == 0
    assert main(["bundle", "rollback", root]) == 0
    assert "bundle 9.10.0" in capsys.readouterr().out
    assert {MANIFEST, SIGNATURE, *FILES} == {p.name for p in installed(Path(root), KEYS).path.iterdir()}
