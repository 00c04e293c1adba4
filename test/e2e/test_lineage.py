"""What versions were made of and what was made of them: through imports, jobs, clones, restores and exports, as far as one may see."""
import xml.etree.ElementTree

import pytest


@pytest.fixture
def model(volary, directory_bucket):
    """store:in > digits@1 > job train > model@1 > store:out, and a clone of it, and a version written on top."""
    directory_bucket.put("in/a", b"1")
    directory_bucket.add(volary, "store")
    volary("volume", "create", "digits")
    volary("volume", "create", "model")
    volary("volume", "import", "digits", "--from", "store:in")
    assert volary.run("job", "run", "--wait", "--name", "train", "-v", "digits:/in", "-v", "model:/out:rw", "--", "sh", "-c",
                      "cp /in/a /out/m").returncode == 0
    volary("volume", "export", "model", "--to", "store:out")
    volary("volume", "clone", "model@1", "copy")
    return volary


def names(lineage, kind=None):
    return [node["name"] for node in lineage["nodes"] if kind in (None, node["kind"])]


def edges(lineage):
    name = {node["id"]: node["name"] for node in lineage["nodes"]}
    return {(name[edge["from"]], edge["how"], name[edge["to"]]) for edge in lineage["edges"]}


def test_a_model_leads_back_to_the_bucket_and_on_to_where_it_went(model):
    found = model.json("lineage", "model@1")
    assert edges(found) == {("store:in", "imported", "digits@1"), ("digits@1", "read at /in", "train"), ("train", "wrote", "model@1"),
                            ("model@1", "exported", "store:out"), ("model@1", "cloned", "copy@1")}
    steps = {node["name"]: node["step"] for node in found["nodes"]}
    assert steps == {"store:in": -3, "digits@1": -2, "train": -1, "model@1": 0, "store:out": 1, "copy@1": 1}
    source = next(node for node in found["nodes"] if node["name"] == "store:in")
    assert source["detail"].startswith("listing ") and source["detail"].endswith(" of 1 object") and source["by"] == "admin"
    checksum = model.json("volume", "versions", "digits")[0]["checksum"]
    assert next(node for node in found["nodes"] if node["name"] == "digits@1")["checksum"] == checksum
    assert names(model.json("lineage", "copy", "--upstream")) == ["store:in", "digits@1", "train", "model@1", "copy@1"]
    assert names(model.json("lineage", "digits", "--downstream"))[0] == "digits@1"
    cut = model.run("lineage", "model", "--depth", "1", "--upstream")
    assert "there is more" in cut.stderr and "store:in" not in cut.stdout
    assert model.refuses("lineage", "model", "--depth", "0")[0] == 2
    assert model.refuses("lineage", "model", "--upstream", "--downstream")[0] == 2
    table = model("lineage", "model@1")
    assert table.splitlines()[0].split() == ["STEP", "KIND", "NAME", "HOW", "CHECKSUM", "BY", "CREATED", "DETAIL"]


def test_what_is_deleted_stays_where_it_was(model):
    model("job", "rm", "train")
    model.run("job", "run", "--wait", "-v", "model:/out:rw", "--", "sh", "-c", "echo 2 >/out/m")
    model("volume", "delete-version", "model@1", "-y")
    found = model.json("lineage", "model@2", "--upstream")
    details = {node["name"]: node["detail"] for node in found["nodes"]}
    assert details["model@1"] == "deleted"
    later = {node["name"]: node["detail"] for node in model.json("lineage", "digits", "--downstream")["nodes"]}
    assert later["train"] == "deleted" and later["model@2"].startswith("job ")


def test_what_one_may_not_see_has_no_name_and_nothing_behind_it(model):
    model("project", "create", "vision")
    model("volume", "clone", "model@1", "vision/theirs")
    token = model.json("token", "create", "--name", "eve", "--role", "viewer")["token"]
    as_eve = {"VOLARY_SERVER": f"unix:{model.data}/volary.sock", "VOLARY_TOKEN": token}
    assert "theirs@1" in names(model.json("lineage", "model@1"))
    seen = model.json("lineage", "model@1", env=as_eve)
    [hidden] = [node for node in seen["nodes"] if node["kind"] == "hidden"]
    assert hidden["name"] == "not visible to you" and not hidden["checksum"] and not hidden["by"] and not hidden["project"]
    assert "theirs" not in model("lineage", "model@1", env=as_eve) and "vision" not in model("lineage", "model@1", "-o", "dot", env=as_eve)


def test_drawings_are_whole(model):
    svg = model("lineage", "model@1", "-o", "svg")
    root = xml.etree.ElementTree.fromstring(svg.encode())
    texts = [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"model@1", "store:in", "train", "wrote", "exported"} <= set(texts)
    dot = model("lineage", "model@1", "-o", "dot")
    assert dot.startswith("digraph lineage {") and dot.endswith("}\n") and '"digits@1" -> "job-' in dot
    assert "svg" in model("__complete", "lineage", "-o", "") and model.refuses("volume", "ls", "-o", "svg")[0] == 2
