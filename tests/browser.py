"""A headless Chromium, by the WebDriver protocol: https://www.w3.org/TR/webdriver2/."""

import base64
import json
import os
import re
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")

FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--force-device-scale-factor=1",
]
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the key of an element's id, in the standard
KEYS = {
    **{"ArrowLeft": "\ue012", "ArrowUp": "\ue013", "ArrowRight": "\ue014", "ArrowDown": "\ue015"},
    **{"Home": "\ue011", "End": "\ue010", "Tab": "\ue004", "Enter": "\ue007", "Escape": "\ue00c"},
}


class Browser:
    """A window of a Chromium that is ended with the block."""

    def __enter__(self):
        self.profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        env = {key: x for key, x in os.environ.items() if key != "LD_PRELOAD"}  # a sanitizer, say
        self.driver = subprocess.Popen(
            [DRIVER, "--port=0"], env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self.session = None
        try:
            for line in self.driver.stdout:
                if found := re.search(rb"successfully on port (\d+)", line):
                    break
            self.url = f"http://127.0.0.1:{int(found[1])}/session"
            options = {"binary": CHROMIUM, "args": [*FLAGS, f"--user-data-dir={self.profile.name}"]}
            wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
            self.session = self.post("", capabilities={"alwaysMatch": wanted})["sessionId"]
            self.url += f"/{self.session}"
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.session:
            self.ask("DELETE", "")
        self.driver.terminate()
        self.driver.wait()
        self.driver.stdout.close()
        self.profile.cleanup()

    def ask(self, method, path, data=None):
        request = urllib.request.Request(
            self.url + path, data, {"Content-Type": "application/json"}, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(json.load(error)["value"]["message"]) from None

    def post(self, path, **data):
        return self.ask("POST", path, json.dumps(data).encode())

    def open(self, path):
        self.post("/url", url=path.as_uri())

    def run(self, script, *args):
        """What a script returns in the page."""
        return self.post("/execute/sync", script=script, args=args)

    def click(self, selector):
        found = self.post("/element", using="css selector", value=selector)
        self.post(f"/element/{found[ELEMENT]}/click")

    def press(self, *keys):
        """Keys on the element that has the focus."""
        for key in keys:
            typed = KEYS.get(key, key)
            strokes = [{"type": kind, "value": typed} for kind in ("keyDown", "keyUp")]
            self.post("/actions", actions=[{"type": "key", "id": "keyboard", "actions": strokes}])

    def resize(self, width, height):
        """A window, or a phone of less than its 500 pixels."""
        self.devtools(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
        )

    def prefer(self, features):
        """Media features, such as {"prefers-color-scheme": "dark"}."""
        listed = [{"name": name, "value": value} for name, value in features.items()]
        self.devtools("Emulation.setEmulatedMedia", {"features": listed})

    def devtools(self, command, params):
        return self.post("/goog/cdp/execute", cmd=command, params=params)

    def log(self):
        """What the page said to the console since the last call: errors, for one."""
        return [entry["message"] for entry in self.post("/se/log", type="browser")]

    def screenshot(self, path):
        path.write_bytes(base64.b64decode(self.ask("GET", "/screenshot")))
