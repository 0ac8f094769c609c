"""An application that each reloader serves: it answers with what the module `token_` says, and has imported a thousand others.

    wsgi, asgi        the application, for gunicorn and uvicorn
    reload.py PORT    the same in CherryPy, with its own autoreloader

The folder of the modules is on the path.
"""

import importlib
import pathlib
import sys

import token_

for path in sorted(pathlib.Path(token_.__file__).parent.glob("m*.py")):
    importlib.import_module(path.stem)

ANSWER = token_.TOKEN.encode()


def wsgi(environ, start_response):
    start_response("200 OK", [("Content-Length", str(len(ANSWER)))])
    return [ANSWER]


async def asgi(scope, receive, send):
    if scope["type"] != "http":
        return
    length = (b"content-length", str(len(ANSWER)).encode())
    await send({"type": "http.response.start", "status": 200, "headers": [length]})
    await send({"type": "http.response.body", "body": ANSWER})


def cherrypy_site(port):
    import cherrypy

    class Root:
        @cherrypy.expose
        def index(self):
            return ANSWER

    cherrypy.config.update({"server.socket_port": port, "log.screen": False, "engine.autoreload.on": True})
    cherrypy.quickstart(Root())


if __name__ == "__main__":
    cherrypy_site(int(sys.argv[1]))
