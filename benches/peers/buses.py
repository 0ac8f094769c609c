"""Measures the Python buses on request, so that a Rust program can interleave them with its own contestants.

Each line on stdin is one request, each line on stdout its answer:

    versions                      {"python": "3.11.7", "magicbus": "4.1.2", "cherrypy": null}
    publish WHICH LISTENERS       nanoseconds per publish
    cycle WHICH LISTENERS         nanoseconds per bus that is made, started, exited and forgotten

WHICH is magicbus, cherrypy, or (for publish) loop, a bare Python loop over the same listeners. The number of turns is
found once per request and kept, so that one answer takes about SLICE seconds.
"""

import atexit
import importlib.metadata
import json
import platform
import sys
from time import perf_counter_ns

SLICE = 0.01


def version(distribution):
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def listeners(count):
    """Listeners that do nothing: the buses keep sets, so each must be a function of its own."""
    return [lambda message, number=number: None for number in range(count)]


def magicbus():
    from magicbus.process import ProcessBus

    return ProcessBus()


def cherrypy():
    from cherrypy.process.wspbus import Bus

    return Bus()


MAKERS = {"magicbus": magicbus, "cherrypy": cherrypy}


def publisher(which, count):
    functions = listeners(count)
    if which == "loop":

        def publish(turns):
            begun = perf_counter_ns()
            for _ in range(turns):
                for function in functions:
                    function(7)
            return perf_counter_ns() - begun

        return publish

    bus = MAKERS[which]()
    for function in functions:
        bus.subscribe("order", function)

    def publish(turns):
        begun = perf_counter_ns()
        for _ in range(turns):
            bus.publish("order", 7)
        return perf_counter_ns() - begun

    return publish


def magicbus_cycle(functions):
    bus = magicbus()
    for channel in "START", "STOP", "EXIT":
        for function in functions:
            bus.subscribe(channel, function)
    bus.transition("RUN")
    bus.transition("EXITED")


def cherrypy_cycle(functions):
    bus = cherrypy()
    for channel in "start", "stop", "exit":
        for function in functions:
            bus.subscribe(channel, function)
    bus.start()
    bus.exit()
    return bus


def cycler(which, count):
    functions = [lambda number=number: None for number in range(count)]
    cycle = {"magicbus": magicbus_cycle, "cherrypy": cherrypy_cycle}[which]

    def run(turns):
        spent = 0
        for _ in range(turns):
            begun = perf_counter_ns()
            bus = cycle(functions)
            spent += perf_counter_ns() - begun
            if bus is not None:
                # CherryPy's start registers a handler that is never taken away again.
                atexit.unregister(bus._clean_exit)
        return spent

    return run


class Measured:
    """One contestant with the number of turns that fills a slice."""

    def __init__(self, kind, which, count):
        self.run = {"publish": publisher, "cycle": cycler}[kind](which, count)
        self.turns = 1
        while self.run(self.turns) < SLICE * 1e9 / 2:
            self.turns *= 2

    def measure(self):
        return self.run(self.turns) / self.turns


def answer(request, known):
    if request == "versions":
        names = {"magicbus": version("magicbus"), "cherrypy": version("cherrypy")}
        return json.dumps({"python": platform.python_version(), **names})
    if request not in known:
        kind, which, count = request.split()
        known[request] = Measured(kind, which, int(count))
    return known[request].measure()


def main():
    known = {}
    for line in sys.stdin:
        print(answer(line.strip(), known), flush=True)


if __name__ == "__main__":
    main()
