#!/usr/bin/python3
"""An RTSP server with faults to order: clips as cameras. Runs under Debian's Python, which has the GStreamer bindings.

Each clip is parsed once into access units, which a timer pushes for ever: no decoding, no encoding, H.264 of any size.
Usage: cameras.py JSON   with {"port": 0, "auth": "basic" | "digest", "mounts": [{"mount": "/a", "clip": PATH, "fps": null}]}
Prints {"ready": PORT}; then answers each JSON line on standard input with one on standard output:
{"do": "freeze" | "resume" | "remove" | "restore" | "corrupt" | "heal" | "unprotect" | "sent", "mount": "/a"}
{"do": "protect", "mount": "/a", "user": U, "password": P}   {"do": "drop"}   {"do": "stats"}
Ends when standard input does.
"""

import json
import os
import random
import sys

import gi

for name in ("Gst", "GstApp", "GstRtspServer", "GstRtsp"):
    gi.require_version(name, "1.0")
from gi.repository import GLib, Gst, GstApp, GstRtsp, GstRtspServer  # noqa: E402,F401  GstApp gives appsink its methods

Gst.init(None)
ANONYMOUS = "anonymous"


def access_units(path):
    """Return the clip's access units (bytes), their caps, and the frames a second that the clip announces."""
    pipeline = Gst.parse_launch(
        "filesrc name=file ! parsebin ! h264parse config-interval=-1 ! "
        "video/x-h264,stream-format=byte-stream,alignment=au ! appsink name=sink sync=false"
    )
    pipeline.get_by_name("file").set_property("location", path)
    sink = pipeline.get_by_name("sink")
    pipeline.set_state(Gst.State.PLAYING)
    units, caps = [], None
    while True:
        sample = sink.try_pull_sample(5 * Gst.SECOND)
        if sample is None:
            break
        buffer = sample.get_buffer()
        units.append(buffer.extract_dup(0, buffer.get_size()))
        caps = sample.get_caps()
    pipeline.set_state(Gst.State.NULL)
    if not units:
        raise SystemExit(f"{path}: no H.264 pictures in it")
    found, numerator, denominator = caps.get_structure(0).get_fraction("framerate")
    return units, caps, numerator / denominator if found and numerator else 10.0


def permissions(protected_for=None):
    """Everybody may look, or only `protected_for`; who may not is told 401."""
    result = GstRtspServer.RTSPPermissions.new()
    if protected_for is None:
        result.add_permission_for_role(ANONYMOUS, "media.factory.access", True)
        result.add_permission_for_role(ANONYMOUS, "media.factory.construct", True)
        return result
    # Access without construction is what this server answers with 401; no access would be 404.
    result.add_permission_for_role(ANONYMOUS, "media.factory.access", True)
    result.add_permission_for_role(ANONYMOUS, "media.factory.construct", False)
    result.add_permission_for_role(protected_for, "media.factory.access", True)
    result.add_permission_for_role(protected_for, "media.factory.construct", True)
    return result


def token(role):
    result = GstRtspServer.RTSPToken.new()
    result.set_string("media.factory.role", role)
    return result


class Camera:
    """One mount: its clip, where it is in it, and what is wrong with it."""

    def __init__(self, clip, fps):
        self.units, self.caps, announced = access_units(clip)
        self.fps = fps or announced
        self.position = 0
        self.sent = 0
        self.source = None
        self.frozen = False
        self.corrupt = False
        self.protected_for = None
        self.noise = random.Random(1)
        self.factory = self.new_factory()
        GLib.timeout_add(max(1, round(1000 / self.fps)), self.tick)

    def tick(self):
        if self.source is not None and not self.frozen:
            unit = self.units[self.position % len(self.units)]
            if self.corrupt:
                broken = bytearray(unit)
                for _ in range(len(broken) // 50):
                    broken[self.noise.randrange(min(40, len(broken) - 1), len(broken))] = self.noise.randrange(256)
                unit = bytes(broken)
            self.source.push_buffer(Gst.Buffer.new_wrapped(unit))
            self.position += 1
            self.sent += 1
        return True

    def new_factory(self):
        factory = GstRtspServer.RTSPMediaFactory.new()
        factory.set_shared(True)
        factory.set_launch(
            "( appsrc name=source is-live=true do-timestamp=true format=time max-bytes=4000000 ! h264parse ! "
            # The units hold their parameter sets. config-interval=-1 would put a set before each slice of a key
            # picture, which tears it in two.
            "rtph264pay name=pay0 pt=96 config-interval=0 )"
        )
        factory.set_permissions(permissions(self.protected_for))
        factory.connect("media-configure", self.configure)
        return factory

    def configure(self, _factory, media):
        source = media.get_element().get_by_name("source")
        source.set_property("caps", self.caps)
        self.source = source
        self.position = 0

        def unprepared(_media):
            if self.source is source:
                self.source = None

        media.connect("unprepared", unprepared)


class Server:
    def __init__(self, settings):
        self.server = GstRtspServer.RTSPServer.new()
        self.server.set_address("127.0.0.1")
        self.server.set_service(str(settings.get("port", 0)))
        self.mounts = self.server.get_mount_points()
        self.auth = GstRtspServer.RTSPAuth.new()
        self.digest = settings.get("auth") == "digest"
        method = GstRtsp.RTSPAuthMethod.DIGEST if self.digest else GstRtsp.RTSPAuthMethod.BASIC
        self.auth.set_supported_methods(method)
        self.auth.set_default_token(token(ANONYMOUS))
        self.server.set_auth(self.auth)
        self.cameras = {}
        self.connections = 0
        for each in settings["mounts"]:
            camera = Camera(each["clip"], each.get("fps"))
            self.cameras[each["mount"]] = camera
            self.mounts.add_factory(each["mount"], camera.factory)
        self.server.connect("client-connected", self.connected)
        if not self.server.attach(None):
            raise SystemExit(f"port {settings.get('port')} cannot be listened on")

    def connected(self, _server, _client):
        self.connections += 1

    def do(self, command):
        verb = command["do"]
        if verb == "drop":
            self.server.client_filter(lambda _server, _client: GstRtspServer.RTSPFilterResult.REMOVE)
            return {}
        if verb == "stats":
            return {"connections": self.connections}
        camera = self.cameras[command["mount"]]
        if verb in ("freeze", "resume"):
            camera.frozen = verb == "freeze"
        elif verb in ("corrupt", "heal"):
            camera.corrupt = verb == "corrupt"
        elif verb == "remove":
            self.mounts.remove_factory(command["mount"])
        elif verb == "restore":
            self.mounts.add_factory(command["mount"], camera.new_factory())
        elif verb in ("protect", "unprotect"):
            camera.protected_for = command.get("user")
            if camera.protected_for:
                user, password = command["user"], command["password"]
                if self.digest:
                    self.auth.add_digest(user, password, token(user))
                else:
                    self.auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token(user))
            self.mounts.remove_factory(command["mount"])
            self.mounts.add_factory(command["mount"], camera.new_factory())
        elif verb != "sent":
            return {"error": f"unknown command {verb!r}"}
        return {"sent": camera.sent}


def main():
    server = Server(json.loads(sys.argv[1]))
    loop = GLib.MainLoop()
    waiting = b""

    def answer(descriptor, _condition):
        nonlocal waiting
        received = os.read(descriptor, 65536)  # readline() would swallow a command that comes with another
        if not received:
            loop.quit()
            return False
        *lines, waiting = (waiting + received).split(b"\n")
        for line in lines:
            print(json.dumps(server.do(json.loads(line))), flush=True)
        return True

    GLib.io_add_watch(0, GLib.IO_IN | GLib.IO_HUP, answer)
    print(json.dumps({"ready": server.server.get_bound_port()}), flush=True)
    loop.run()


main()
