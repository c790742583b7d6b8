"""The end of a run, told where that is wished: with a sound and a notification of the system."""

from __future__ import annotations

from playwright.sync_api import expect

from studio.jobs import folder as job_folder
from studio.jobs import queue
from tests.browser.test_runs import rehearse, wait_for_step

LOUD = """
window.told = [];
window.Notification = class {
  constructor(words, more) { told.push(words, more.tag); }
  static permission = "granted";
  static requestPermission = async () => "granted";
};
const real = AudioContext.prototype.createOscillator;
AudioContext.prototype.createOscillator = function () { told.push("a note"); return real.call(this); };
"""


def test_the_end_of_a_run_is_heard_and_notified_where_that_is_wished(studio, page):
    page.add_init_script(LOUD)
    folder = rehearse(studio, 2000, 0.05, name="loud")
    studio.open(page, tab="runs", run=folder.name)
    wait_for_step(page, 5)
    page.get_by_label("show a notification").check()
    page.get_by_label("play a sound").check()
    page.wait_for_function("told.splice(0).length === 2")  # so that one knows how it sounds
    page.get_by_role("tab", name="Home").click()
    queue.stop(studio.workspace, folder)
    page.wait_for_function("told.length === 4")
    told = page.evaluate("told")
    assert told.count("a note") == 2 and folder.name in told and any("stopped" in words for words in told)
    # Resumed elsewhere, it is no longer said to have ended, though nobody pressed anything here.
    page.go_back()
    expect(page).to_have_title("■ stopped – loud")
    queue.requeue(studio.workspace, folder)
    expect(page).to_have_title("loud – Runs – FlexTune Studio")
    assert job_folder.status(folder) in ("queued", "running")
