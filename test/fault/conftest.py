"""Fault tests use what end-to-end tests use, and need a program with fail points compiled in (the presets dev and asan)."""
import importlib.util
import pathlib

spec = importlib.util.spec_from_file_location(
    "e2e_conftest", pathlib.Path(__file__).resolve().parent.parent / "e2e" / "conftest.py")
e2e = importlib.util.module_from_spec(spec)
spec.loader.exec_module(e2e)
volary, bucket, directory_bucket = e2e.volary, e2e.bucket, e2e.directory_bucket
