"""Translates and compiles the kernels on all cores; everything else about the package stands in pyproject.toml."""

import os

from setuptools import setup
from setuptools.command.build_ext import build_ext


class ParallelBuild(build_ext):
    """Cython in processes, because its translator is not made for threads, then the C compiler in threads."""

    def finalize_options(self) -> None:
        """Use all cores unless told otherwise."""
        super().finalize_options()
        self.parallel = self.parallel or os.cpu_count() or 1

    def build_extensions(self) -> None:
        """Translate every source that is newer than its C, then compile what is newer than its library."""
        from Cython.Build import cythonize

        translated = cythonize(self.extensions, nthreads=self.parallel, force=self.force, quiet=not self.verbose)
        for extension, c in zip(self.extensions, translated, strict=True):
            # Only the sources are taken over: Cython's copy forgets that an extension is optional.
            extension.sources = c.sources
        super().build_extensions()


setup(cmdclass={"build_ext": ParallelBuild})
