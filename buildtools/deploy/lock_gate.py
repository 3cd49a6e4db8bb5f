"""The lock's gate: a native distribution needs a wheel for the target, or a recipe to build one."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from buildtools.deploy.locks import Missing, Pin
from buildtools.recipes import PureKind, Recipe, find_recipe
from buildtools.targets import Target


def gate(
    pin: Pin,
    target: Target,
    recipes: Mapping[str, Recipe],
    in_wheelhouse: Callable[[str, str, Target], bool],
) -> Missing | None:
    """What is missing of one pin on the target; None when it has a way there.

    In order: a wheel on the index (a pure one only where the recipe lets pure do), a wheel in the
    wheelhouse, a recipe that builds one, nothing native to build.
    """
    recipe = find_recipe(recipes, pin.name)
    demands_native = recipe is not None and bool(recipe.native) and recipe.pure is PureKind.NEVER
    if pin.has_wheel(target) or in_wheelhouse(pin.name, pin.version, target):
        return None
    if recipe is not None and recipe.build is not None:
        return None
    if not (pin.native or demands_native):
        return None
    wheels = sum(name.endswith(".whl") for name in pin.files)
    said = f"none of its {wheels} wheels is for {target.spec}" if wheels else "it has no wheel"
    return Missing(
        distribution=pin.name,
        version=pin.version,
        reason=f"{said}, and there is no recipe under native/ that builds one",
    )
