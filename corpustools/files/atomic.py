"""Files that appear whole or not at all.

A file is written without a name where the file system allows it (so that not even kill -9 leaves anything), fsynced,
and given its name at the end. Existing files stay until then.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat

from corpustools.errors import from_os
from corpustools.files.descriptors import Descriptor, close
from corpustools.files.direct import DirectOutput
from corpustools.files.linux import preallocate
from corpustools.files.page_cache import WriteBehind
from corpustools.files.targets import is_mount_point
from corpustools.files.unfinished import hidden_name, release


class FileSink:
    """A regular file that replaces `path` when it is finished.

    Args:
        path: the final name; a symbolic link is followed, so that the link stays a link.

    Attributes:
        name: the path as it was given. path: the file that is replaced. folder: where that file is.
        identity: device and inode.

    Raises:
        SystemFailure: the folder is missing, not writable, or the file cannot be made.
    """

    def __init__(self, path: str) -> None:
        self.name, self.path = path, os.path.realpath(path)
        self.folder = os.path.dirname(self.path)
        self._temporary: str | None = None
        try:
            descriptor = self._open(_mode_of(self.path))
            _keep_owner_and_mode(descriptor, self.path)
        except OSError as error:
            raise from_os(error, f"{path}: cannot be written", "check the folder and its permissions") from error
        status = os.fstat(descriptor)
        self.identity = (status.st_dev, status.st_ino)
        self._out = Descriptor(descriptor, path)
        self._synced = self._closed = False

    def write(self, data: memoryview | bytes) -> None:
        """Write all of the data."""
        self._out.write(data)

    def write_at(self, offset: int, data: memoryview) -> None:
        """Write the data at an offset; threads may do so at once, besides `write` at the front."""
        self._out.write_at(offset, data)

    def spare_cache(self) -> None:
        """Keep from now on out of the page cache what is written."""
        if self._out.behind is None:
            self._out.behind = WriteBehind(self._out.descriptor)
            self._out.direct = DirectOutput(self._out.descriptor)

    @property
    def direct_unit(self) -> int:
        """Bytes of which parts of the file are multiples that `write_at` writes past the page cache; 0: it does not."""
        return self._out.direct.alignment if self._out.direct is not None else 0

    def expect(self, size: int) -> None:
        """Make room for a file of so many bytes, where it is written directly and the disk has plenty."""
        space = os.statvfs(self._out.descriptor)
        if self.direct_unit and size + size // 8 < space.f_bavail * space.f_frsize:
            preallocate(self._out.descriptor, size)

    def flush(self) -> None:
        """Hand over what `write` gathered, so that `write_at` may go over it."""
        self._out.flush()

    @property
    def named(self) -> bool:
        """Whether the file has a temporary name already."""
        return self._temporary is not None

    @property
    def path_until_named(self) -> str:
        """A path by which a library that opens its files itself can write this one, until it is finished."""
        return self._temporary or f"/proc/self/fd/{self._out.descriptor}"

    @property
    def in_place(self) -> bool:
        """Whether the file has its final name."""
        if not self._closed or self._temporary is None:
            return self._closed
        # A temporary name that is gone tells nothing: somebody else may have removed it.
        with contextlib.suppress(OSError):
            status = os.stat(self.path)
            return (status.st_dev, status.st_ino) == self.identity
        return False

    def sync(self) -> None:
        """Make the bytes durable; nothing is written afterwards.

        Raises:
            SystemFailure: the data could not be made durable.
        """
        if self._synced:
            return
        self._out.flush()
        try:
            os.fsync(self._out.descriptor)
        except OSError as error:
            raise from_os(error, f"{self.name}: cannot be made durable", "the old file stays") from error
        if self._out.behind is not None:
            self._out.behind.finish()
        self._close_direct()
        self._synced = True

    def close(self) -> None:
        """Make the bytes durable under a temporary name, and close the file.

        Raises:
            SystemFailure: the data could not be made durable.
        """
        if self._closed:
            return
        self.sync()
        try:
            if self._temporary is None:
                self._temporary = hidden_name(self.path)
                _give_name(self._out.descriptor, self.folder, self._temporary)
        except OSError as error:
            raise from_os(error, f"{self.name}: cannot be made durable", "the old file stays") from error
        self._closed = True
        close(self._out.descriptor, self.name)

    def rename(self) -> None:
        """Put the closed file in its place; durable when its folder has been synced.

        Raises:
            SystemFailure: the file could not be renamed into place.
        """
        assert self._closed
        temporary = self._temporary
        assert temporary is not None
        if is_mount_point(self.path):
            self._temporary = None
            # Where copying fails the file stays for the user, so nothing may take it for left over.
            release(temporary)
            _copy_over(temporary, self.path, self.name)
            return
        try:
            os.replace(temporary, self.path)
        except OSError as error:
            raise from_os(error, f"{self.name}: cannot be renamed into place", "the old file stays") from error
        release(temporary)
        self._temporary = None

    def finish(self) -> None:
        """Close the file and give it its name.

        Raises:
            SystemFailure: the file could not be made durable, or could not be renamed into place.
        """
        self.close()
        self.rename()
        sync_folder(self.folder)

    def _open(self, mode: int) -> int:
        """Return a descriptor of a new file, which has no name where the system offers that."""
        descriptor = _open_unnamed(self.folder, mode)
        if descriptor is None:
            self._temporary = hidden_name(self.path)
            descriptor = os.open(self._temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        return descriptor

    def _close_direct(self) -> None:
        if self._out.direct is not None:
            self._out.direct.close()

    def abort(self) -> None:
        """Remove the temporary file."""
        self._close_direct()
        if not self._closed:
            self._closed = True
            with contextlib.suppress(OSError):
                os.close(self._out.descriptor)
        if self._temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(self._temporary)
            release(self._temporary)


def _copy_over(source: str, path: str, name: str) -> None:
    """Put a file's bytes into another that cannot be replaced, such as a single file mounted into a container.

    Raises:
        SystemFailure: copying failed; the source stays then.
    """
    import shutil

    try:
        with open(source, "rb") as whole, open(path, "wb") as target:
            shutil.copyfileobj(whole, target, 1 << 20)
            target.flush()
            os.fsync(target.fileno())
        os.unlink(source)
    except OSError as error:
        raise from_os(error, f"{name}: copying into the mounted file failed", f"the output is in {source}") from error


def sync_folder(folder: str) -> None:
    """Make the names in a folder durable, on file systems that can.

    Raises:
        SystemFailure: the folder's entries could not be made durable.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        # Some network and shared file systems sync no folders; a folder that may not be listed cannot be opened.
        if error.errno in (errno.EINVAL, errno.ENOTSUP, errno.EACCES):
            return
        raise from_os(error, f"{folder}: new names cannot be made durable", "the new files are in place") from error


def _open_unnamed(folder: str, mode: int) -> int | None:
    """Return a descriptor of a file without a name that can be given one later, or None where that is not offered."""
    if not hasattr(os, "O_TMPFILE") or not os.path.isdir("/proc/self/fd"):
        return None
    try:
        return os.open(folder, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, mode)
    except (IsADirectoryError, NotImplementedError):
        return None
    except OSError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.EINVAL):
            return None
        raise


def _give_name(descriptor: int, folder: str, path: str) -> None:
    """Link a file without a name to a path (linkat(2), AT_SYMLINK_FOLLOW)."""
    # Only with a directory descriptor does os.link() ask the system to follow the link under /proc.
    directory = os.open(folder, os.O_PATH | os.O_CLOEXEC)
    try:
        os.link(f"/proc/self/fd/{descriptor}", path, src_dir_fd=directory, follow_symlinks=True)
    finally:
        os.close(directory)


def _keep_owner_and_mode(descriptor: int, path: str) -> None:
    """Give a new file the owner, group and permissions of the one it replaces, as far as the system allows.

    Where it belongs to somebody else then, it gets no set-user-id or set-group-id bit.
    """
    try:
        old = os.stat(path)
    except FileNotFoundError:
        return
    for owner, group in ((old.st_uid, old.st_gid), (-1, old.st_gid)):
        with contextlib.suppress(PermissionError):
            os.fchown(descriptor, owner, group)
            break
    new = os.fstat(descriptor)
    same = (new.st_uid, new.st_gid) == (old.st_uid, old.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(old.st_mode) & (0o7777 if same else 0o777))


def _mode_of(path: str) -> int:
    """Return the permissions a new file at `path` gets: those of the file it replaces, else the usual ones."""
    try:
        # Bits beyond these wait until the file has its owner.
        return os.stat(path).st_mode & 0o777
    except OSError:
        return 0o666
