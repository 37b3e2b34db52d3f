"""``python -m tests.conda``: the recipe for conda-forge is read, rendered, and built into a package without any channel.

Needs ``py-rattler-build``. Without a channel there is no conda Python to build with, so this one builds, with the hatchling that is
installed here; what runs is the recipe's own script on the source distribution.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import yaml

from tests.test_packaging import ROOT, built

RECIPE = ROOT / ".conda" / "recipe.yaml"


def main() -> int:
    """Build the package; 0 where it has the code and the bundles."""
    import rattler_build

    whole = rattler_build.Stage0Recipe.from_file(RECIPE)
    variants = rattler_build.VariantConfig({"python_min": ["3.11"]})
    (rendered,) = whole.render(variants)
    print(f"rendered: {rendered.recipe.package}")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        sdist = built("sdist", ROOT, folder / "dist")
        recipe = yaml.safe_load(RECIPE.read_text(encoding="utf-8"))
        recipe["source"]["path"] = str(sdist)
        recipe["build"].pop("noarch")
        recipe["build"]["script"] = (
            f"{sys.executable} -m pip install . --no-deps --no-build-isolation --target $PREFIX/site-packages"
        )
        recipe.pop("requirements")
        recipe.pop("tests")
        (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
        (channel := folder / "channel").mkdir()
        (part,) = rattler_build.Stage0Recipe.from_file(folder / "recipe.yaml").render(variants)
        result = part.run_build(
            output_dir=folder / "out",
            channels=[channel.as_uri()],
            env_isolation=rattler_build.EnvironmentIsolation.NONE,
        )
        (package,) = result.packages
        inside = set(rattler_build.Package.from_file(package).files)
        wanted = [f"site-packages/xaiwidgets/widgets/static/{name}.js" for name in ("heatmap", "concepts", "flipping")]
        missing = [name for name in ["site-packages/xaiwidgets/__init__.py", *wanted] if name not in inside]
    print(f"missing: {missing}" if missing else f"built: {Path(package).name}, {len(inside)} files")
    return len(missing)


if __name__ == "__main__":
    sys.exit(main())
