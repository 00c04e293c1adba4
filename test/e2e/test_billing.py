"""What jobs cost: started minutes of billed states, by the server's price list, for those who may see them."""
import csv
import io
import subprocess
from decimal import Decimal

import pytest

PRICES = """currency: EUR
prices:
  - job: 0.01
    cpu: 0.000125
"""


def with_prices(volary, text=PRICES):
    volary.data.mkdir(exist_ok=True)
    (volary.data / "prices.yaml").write_text(text)
    return volary


def test_a_job_costs_its_started_minutes_and_what_was_deleted_stays_billed(volary):
    with_prices(volary)
    assert volary.run("job", "run", "--wait", "--cpu", "1", "--name", "first", "--", "true").returncode == 0
    assert volary.run("job", "run", "--wait", "--cpu", "1", "--name", "none", "--", "no-such-command").returncode != 0
    [line] = volary.json("billing", "report", "--by", "job")["lines"]  # The other never ran.
    assert (line["jobName"], line["minutes"], line["cpuMinutes"], line["cost"]) == ("first", 1, 1, "0.010125")
    volary("job", "rm", "first")
    assert volary.json("job", "ls", "-a") and "first" not in volary("job", "ls", "-a")
    assert volary.refuses("job", "get", "first")[0] == 4
    report = volary.json("billing", "report", "--by", "user", "--from", "2026-01-01")
    assert report["lines"] == [{**report["lines"][0], "name": "admin", "jobs": 1, "minutes": 1, "cost": "0.010125"}]
    assert report["total"]["cost"] == "0.010125" and report["currency"] == "EUR" and report["billedStates"] == ["RUNNING"]
    rows = list(csv.DictReader(io.StringIO(volary("billing", "report", "--by", "job", "-o", "csv"))))
    assert [(row["name"], row["user"], Decimal(row["cost"])) for row in rows] == [("first", "admin", Decimal("0.010125"))]
    table = volary("billing", "report").splitlines()
    assert table[0].split() == ["PROJECT", "JOBS", "MINUTES", "CPU-MINUTES", "GPU-MINUTES", "COST", "EUR"]
    assert [line.split()[0] for line in table[1:]] == ["default", "total"]
    assert volary.json("billing", "report", "--to", "2026-01-01", "--from", "2025-01-01")["lines"] == []


def test_flavors_are_listed_with_what_they_cost(volary):
    with_prices(volary, PRICES + "    gpu: 0.05\n    flavors: {small: 0.002}\n")
    (volary.data / "node.yaml").write_text("capacity: {cpu: 4}\nflavors:\n  small: {cpu: 2}\n  plain: {cpu: 2}\n")
    assert {one["name"]: one["price"] for one in volary.json("flavor", "ls")} == {"small": "0.012 EUR", "plain": "0.01025 EUR"}
    assert "PRICE A MINUTE" in volary("flavor", "ls")


def test_without_prices_there_are_minutes(volary):
    volary.run("job", "run", "--wait", "--", "true")
    report = volary.json("billing", "report")
    assert report["total"]["minutes"] == 1 and "cost" not in report["total"]
    assert "COST" not in volary("billing", "report")


def test_other_projects_are_for_those_who_may_see_all(volary):
    volary("project", "create", "vision")
    volary.run("job", "run", "--wait", "--", "true")
    volary.run("job", "run", "--wait", "--", "true", env={"VOLARY_PROJECT": "vision"})
    assert [line["name"] for line in volary.json("billing", "report")["lines"]] == ["default"]
    assert [line["name"] for line in volary.json("billing", "report", "--project", "vision")["lines"]] == ["vision"]
    both = volary.json("billing", "report", "--all-projects")
    assert sorted(line["name"] for line in both["lines"]) == ["default", "vision"] and both["total"]["jobs"] == 2
    token = volary.json("token", "create", "--name", "eve", "--role", "editor")["token"]
    as_eve = {"VOLARY_SERVER": f"unix:{volary.data}/volary.sock", "VOLARY_TOKEN": token}
    assert [line["name"] for line in volary.json("billing", "report", env=as_eve)["lines"]] == ["default"]
    assert volary.refuses("billing", "report", "--all-projects", env=as_eve)[0] == 3
    assert volary.refuses("billing", "report", "--project", "vision", env=as_eve)[0] in (3, 4)


@pytest.mark.parametrize("text, words", [
    ("currency: EUR\nprices:\n  - cpu: 1,5\n", "'1,5' is no amount for the price of cpu"),
    ("currency: EUR\nprices:\n  - ram: 1\n", "prices.yaml:3: 'ram' is not known in prices"),
    ("billed_states: [BUSY]\n", "'BUSY' is no job state"),
])
def test_a_server_does_not_start_with_a_price_list_that_is_wrong(volary, text, words):
    with_prices(volary, text)
    server = subprocess.run([str(volary.program), "server"], env=volary.env, capture_output=True, text=True, timeout=60)
    assert server.returncode == 2 and words in server.stderr and "prices.yaml:" in server.stderr
    missing = subprocess.run([str(volary.program), "server", "--prices", "/none.yaml"], env=volary.env, capture_output=True,
                             text=True, timeout=60)
    assert missing.returncode == 4 and "/none.yaml" in missing.stderr


def test_csv_is_for_reports(volary):
    code, words = volary.refuses("volume", "ls", "-o", "csv")
    assert code == 2 and "'csv' is no value for --output" in words
    assert "volary volume ls" in volary.refuses("volume", "ls", env={"VOLARY_OUTPUT": "csv"})[1]
    assert "csv" in volary("__complete", "billing", "report", "-o", "")
    assert "csv" not in volary("__complete", "volume", "ls", "-o", "")
