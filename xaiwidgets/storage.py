"""A folder of shards: files that are whole or not there, a manifest that says which count, and a lock.

    index.json                     what the shards are of (the request), and the list of shards with their checksums; its name is their kind
    shards/0-512.safetensors       the tables over samples 0 to 511

A shard over all samples is the whole. A file counts once the manifest names it; the manifest changes by a rename, so a
process that dies at any moment leaves the state before or after, never between.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import IO, Any

import safetensors.torch
from safetensors import safe_open
from torch import Tensor

__all__ = ["Folder", "Reader", "Shard", "compact", "gaps", "lock", "merge_shards", "packed", "write_atomically"]

LOCK = "lock"
_FAN = 8
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_held: set[Path] = set()
_guard = threading.Lock()


@dataclass(frozen=True, order=True)
class Shard:
    """A file with the tables over samples `start` to `stop`; `level` counts how often it was merged."""

    start: int
    stop: int
    level: int
    file: str
    size: int
    sha256: str


class Folder:
    """The files of one index, or of whatever else is made in parts. Only whoever holds `lock(path)` may write.

    Args:
        kind: what the shards are of, in one word.
    """

    def __init__(self, path: str | os.PathLike[str], kind: str = "index") -> None:
        self.path = Path(path)
        self._manifest = self.path / f"{kind}.json"
        self.request: dict[str, Any] | None = None
        self.shards: list[Shard] = []
        try:
            text = self._manifest.read_text(encoding="utf-8")
        except (FileNotFoundError, NotADirectoryError):
            return
        try:
            manifest = json.loads(text)
            self.request = manifest["request"]
            self.shards = sorted(Shard(**entry) for entry in manifest["shards"])
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"{self._manifest} is not the manifest that it should be ({error}); delete the folder and build again"
            ) from error

    # -- reading -----------------------------------------------------------------------------------------------------

    @property
    def whole(self) -> Shard | None:
        """The shard over all samples, once there is one."""
        length = self.request["dataset"]["length"] if self.request else 0
        return next((shard for shard in self.shards if (shard.start, shard.stop) == (0, length)), None)

    @property
    def done(self) -> int:
        """Samples that are in a shard."""
        return sum(shard.stop - shard.start for shard in self.shards)

    def sound(self, shard: Shard) -> bool:
        """Whether a shard's file is as it was written."""
        file = self.path / shard.file
        try:
            if file.stat().st_size != shard.size:
                return False
            with file.open("rb") as stream:
                return hashlib.file_digest(stream, "sha256").hexdigest() == shard.sha256
        except FileNotFoundError:
            return False

    def read(self, shard: Shard) -> Reader:
        """A shard's tensors, mapped into memory."""
        return Reader(self.path / shard.file)

    # -- writing -----------------------------------------------------------------------------------------------------

    def begin(self, request: Mapping[str, Any]) -> None:
        """Take the folder for this request, keeping its shards; drops shards that are damaged and files that do not count."""
        kept = [shard for shard in self.shards if self.sound(shard)]
        if dict(request) != self.request or kept != self.shards:
            self.request = dict(request)
            self._save_manifest(kept)
        for file in self.strays():
            file.unlink()

    def strays(self) -> list[Path]:
        """Files that do not count: left by a process that was killed."""
        named = {self.path / shard.file for shard in self.shards}
        return [file for file in (self.path / "shards").glob("*") if file not in named]

    def add(self, start: int, stop: int, data: bytes, instead: Sequence[Shard] = ()) -> Shard:
        """Write the tables over samples `start` to `stop` (from `packed`), in place of the shards they were merged from."""
        file = f"shards/{start}-{stop}.safetensors"
        write_atomically(self.path / file, data)
        level = 1 + max((shard.level for shard in instead), default=-1)
        shard = Shard(start, stop, level, file, len(data), hashlib.sha256(data).hexdigest())
        self._save_manifest(sorted([*(other for other in self.shards if other not in instead), shard]))
        for other in instead:
            if other.file != file:
                (self.path / other.file).unlink(missing_ok=True)
        return shard

    def _save_manifest(self, shards: list[Shard]) -> None:
        manifest = {"request": self.request, "shards": [asdict(shard) for shard in shards]}
        write_atomically(self._manifest, json.dumps(manifest, indent=1).encode())
        self.shards = shards


def compact(folder: Folder, merged: Callable[[Sequence[Reader]], bytes]) -> None:
    """Merge neighbours that were merged equally often, as soon as there are enough of them: the number of files grows only with the
    logarithm of the samples.

    merged: the tables of neighbouring shards as one, as a file.
    """
    run: list[Shard] = []
    for shard in list(folder.shards):
        neighbour = run and (run[-1].stop, run[-1].level) == (shard.start, shard.level)
        run = [*run, shard] if neighbour else [shard]
        if len(run) == _FAN:
            merge_shards(folder, run, merged)
            run = []


def merge_shards(folder: Folder, shards: Sequence[Shard], merged: Callable[[Sequence[Reader]], bytes]) -> None:
    """One shard in place of neighbouring ones."""
    if len(shards) > 1:
        data = merged([folder.read(shard) for shard in shards])
        folder.add(shards[0].start, shards[-1].stop, data, instead=list(shards))


def gaps(folder: Folder, length: int) -> list[tuple[int, int]]:
    """Ranges of samples that no shard holds."""
    edges = [(0, 0), *((shard.start, shard.stop) for shard in folder.shards), (length, length)]
    return [(before[1], after[0]) for before, after in pairwise(edges) if before[1] < after[0]]


def packed(table: Mapping[str, Tensor]) -> bytes:
    """A table as the contents of a safetensors file."""
    return safetensors.torch.save({name: tensor.contiguous() for name, tensor in table.items()})


class Reader:
    """Rows of the tensors of a safetensors file, read from the map when asked for."""

    def __init__(self, file: Path) -> None:
        self._file = safe_open(file, framework="pt")

    @property
    def names(self) -> list[str]:
        return list(self._file.keys())

    def __call__(self, name: str, rows: slice) -> Tensor:
        tensor: Tensor = self._file.get_slice(name)[rows]
        return tensor


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that it is there as a whole or not at all, whatever happens.

    Raises:
        OSError: disk full, or no permission; what was there before is kept.
    """
    temporary = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise _explained(error, path, len(data)) from error


def _explained(error: OSError, path: Path, size: int) -> OSError:
    what = f"{path} could not be written: {os.strerror(error.errno) if error.errno else error}"
    if error.errno in _FULL:
        what += f"; it takes {size / 2**20:.1f} MiB. What was written before is kept: make room and call again"
    else:
        what += "; what was there is kept. Give a folder that can be written to"
    return OSError(error.errno, what)


def _sync_folder(folder: Path) -> None:
    # Windows cannot open folders; its renames need no such help.
    if sys.platform != "win32":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def lock(path: str | os.PathLike[str]) -> Iterator[None]:
    """Hold a folder for writing. The lock dies with its process, even with one that is killed.

    Raises:
        RuntimeError: another process, or this one, is writing there.
        OSError: the folder cannot be written to.
    """
    folder = Path(path)
    place = folder.resolve()
    # Locks of files are between processes; this set is for the threads of one.
    with _guard:
        if place in _held:
            raise RuntimeError(_busy(folder, str(os.getpid())))
        _held.add(place)
    try:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            stream = (folder / LOCK).open("a+")
        except OSError as error:
            raise _explained(error, folder / LOCK, 0) from error
        with stream:
            try:
                _lock_file(stream)
            except OSError as error:
                stream.seek(0)
                raise RuntimeError(_busy(folder, stream.read().strip())) from error
            with contextlib.suppress(OSError):
                stream.truncate(0)
                stream.write(str(os.getpid()))
                stream.flush()
            yield
    finally:
        with _guard:
            _held.discard(place)


def _busy(folder: Path, process: str) -> str:
    return f"{folder} is being built by process {process or 'unknown'}; wait for it to end, or give another path"


if sys.platform == "win32":
    import msvcrt

    def _lock_file(stream: IO[str]) -> None:
        # Far behind the text, which others may then read.
        stream.seek(2**30)
        msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock_file(stream: IO[str]) -> None:
        # Not flock: its locks live on in forked children when their parent is killed.
        fcntl.lockf(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
