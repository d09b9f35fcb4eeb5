"""Finds the packages: ``converters`` and ``configs`` lie at the top level and install within ``ultrasam``."""

from setuptools import find_packages, setup

INSIDE = ("converters", "configs")
setup(
    package_dir={"ultrasam": "ultrasam", **{f"ultrasam.{name}": name for name in INSIDE}},
    packages=[
        *find_packages(include=["ultrasam", "ultrasam.*"]),
        *(f"ultrasam.{name}" for name in find_packages(include=[f"{top}*" for top in INSIDE])),
    ],
)
