"""A job's file, config.yaml, as its users write it: replicas, dependencies, secrets, variables."""
import json
import subprocess
import zipfile

import pytest


@pytest.fixture
def job_file(tmp_path):
    """Writes config.yaml and main.py; the path of the former."""
    directory = tmp_path / "job"
    directory.mkdir()

    def write(config: str, main: str, **more: str):
        (directory / "config.yaml").write_text(config)
        (directory / "main.py").write_text(main)
        for name, text in more.items():
            (directory / name.replace("_txt", ".txt")).write_text(text)
        return directory / "config.yaml"
    return write


def run(volary, file, *words, **options):
    return volary.run("job", "run", "-f", file, "--logs", *words, **options)


def wheel(directory, name: str, text: str) -> None:
    """The smallest that pip takes: one module."""
    directory.mkdir(exist_ok=True)
    dist = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(directory / f"{name}-1.0-py3-none-any.whl", "w") as file:
        file.writestr(f"{name}.py", text)
        file.writestr(f"{dist}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        file.writestr(f"{dist}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{dist}/RECORD", "")


def test_replicas_find_each_other(volary, job_file):
    """The second sends to the first, at the address that both were given."""
    file = job_file("replicas: 2\nmin_available: 2\n", """
import os, socket, time
place = (os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]))
if os.environ["RANK"] == "0":
    server = socket.create_server(place)
    print(server.accept()[0].recv(100).decode(), "of", os.environ["WORLD_SIZE"], flush=True)
else:
    while True:
        try:
            socket.create_connection(place).sendall(b"hello from " + os.environ["LOCAL_RANK"].encode())
            break
        except ConnectionRefusedError:
            time.sleep(0.02)
""")
    result = run(volary, file, "-n", "pair")
    assert (result.returncode, result.stdout) == (0, "[0] hello from 1 of 2\n"), result.stderr
    assert volary.json("job", "get", "pair")["replicas"] == 2


def test_the_first_replica_that_fails_is_the_jobs_end(volary, job_file):
    file = job_file("replicas: 3\n", "import os, sys, time\nif os.environ['RANK'] == '2': sys.exit(9)\ntime.sleep(1000)\n")
    assert run(volary, file, "-n", "three").returncode == 9
    assert volary.json("job", "get", "three")["state"] == "FAILED"


def test_replicas_are_refused_in_a_container_and_in_crowds(volary, job_file):
    code, told = volary.refuses("job", "run", "-f", job_file("replicas: 2\nimage: python:3\n", ""))
    assert code == 2 and "config.yaml:1: 'replicas' are processes in the sandbox, and there is an 'image'" in told
    assert "expected 1 to 64" in volary.refuses("job", "run", "-f", job_file("replicas: 65\n", ""))[1]


@pytest.mark.parametrize("way", ["dependencies", "runtimeEnvYAML", "requirements.txt"])
def test_dependencies_are_installed_first(volary, job_file, tmp_path, way):
    wheel(tmp_path / "wheels", "volary_probe", "said = 'installed'\n")
    volary("volume", "create", "wheels")
    volary("volume", "put", str(tmp_path / "wheels"), "wheels")
    how = {"dependencies": "dependencies: [volary_probe]\n", "runtimeEnvYAML": "runtimeEnvYAML: |\n  pip: [volary_probe]\n",
           "requirements.txt": ""}[way]
    more = {"requirements_txt": "volary_probe==1.0\n"} if way == "requirements.txt" else {}
    file = job_file(how + "config_map: {PIP_NO_INDEX: '1', PIP_FIND_LINKS: /wheels}\nvolumes: ['wheels:/wheels']\n",
                    "import volary_probe\nprint(volary_probe.said)\n", **more)
    result = run(volary, file)
    assert result.returncode == 0 and result.stdout.endswith("\ninstalled\n"), result.stdout + result.stderr
    assert "Successfully installed volary_probe-1.0" in result.stdout.replace("-probe", "_probe")


def test_dependencies_that_cannot_be_had_fail_the_job_in_pips_words(volary, job_file):
    file = job_file("dependencies: [volary_no_such]\nenv: {PIP_NO_INDEX: '1'}\n", "print('began')\n")
    result = run(volary, file, "-n", "lost")
    assert result.returncode == 1 and "began" not in result.stdout
    job = volary.json("job", "get", "lost")
    assert job["state"] == "FAILED" and not job.get("startedAt")
    assert "the dependencies could not be installed: " in job["reason"] and "volary_no_such" in job["reason"].replace("-", "_")


def test_secrets_are_variables_that_nobody_is_shown(volary, job_file):
    volary("secret", "create", "kept", "--from-env", env={"AWS_ACCESS_KEY_ID": "kept-value-1", "AWS_SECRET_ACCESS_KEY": "x"})
    [key] = [one for one in volary.json("secret", "ls")[0]["keys"] if one.startswith("access")]
    file = job_file(f"secrets:\n  WRITTEN: written-value-2\n  KEPT: {{secret: kept, key: {key}}}\n  HERE:\n",
                    "import os, hashlib\nfor n in ('WRITTEN', 'KEPT', 'HERE'):\n"
                    "    print(hashlib.sha256(os.environ[n].encode()).hexdigest()[:8])\n")
    result = run(volary, file, "-n", "one", env={"HERE": "here-value-3"})
    assert result.returncode == 0, result.stderr
    sums = [subprocess.run(["sha256sum"], input=text.encode(), capture_output=True).stdout.decode()[:8]
            for text in ("written-value-2", "kept-value-1", "here-value-3")]
    assert result.stdout.split() == sums
    shown = json.dumps(volary.json("job", "get", "one"))
    assert "WRITTEN" in shown and "-value-" not in shown
    assert volary.run("job", "rerun", "one", "--wait").returncode == 0  # They are still known.
    volary.end()
    found = [path for path in volary.data.rglob("*") if path.is_file() and not path.is_symlink()
             and any(value in path.read_bytes() for value in (b"written-value-2", b"kept-value-1", b"here-value-3"))]
    assert found == []


def test_secrets_that_are_not_there_are_refused(volary, job_file):
    code, told = volary.refuses("job", "run", "-f", job_file("secrets: {A: {secret: none}}\n", ""))
    assert code == 4 and "there is no secret 'none' in this project" in told
    volary("secret", "create", "kept", "--from-env", env={"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "x"})
    code, told = volary.refuses("job", "run", "-f", job_file("secrets: {A: {secret: kept, key: other}}\n", ""))
    assert code == 4 and "secret 'kept' has no value 'other' for the variable A" in told


def test_what_cannot_be_honoured_is_refused_with_its_line(volary, job_file):
    for config, told in {
        "name: x\nshared_volume: {size: 10}\n": "config.yaml:2: 'shared_volume' cannot be honoured here",
        "resources:\n  cpu: 1\n  storage: 10\n": "config.yaml:3: 'resources.storage' cannot be honoured here",
        "name: x\nmin_available: 2\n": "config.yaml:2: 'min_available' is 2, of 1 replicas",
        "name: x\nenv:\n  NOT_SET_ANYWHERE:\n": "config.yaml:3: 'NOT_SET_ANYWHERE' has no value here",
        "name: x\nreplica: 2\n": "config.yaml:2: 'replica' is not known",
    }.items():
        code, said = volary.refuses("job", "run", "-f", job_file(config, ""))
        assert code == 2 and told in said, said
