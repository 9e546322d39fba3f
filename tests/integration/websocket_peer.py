"""python's websockets as the tests use it. Version 14 changed its interface (Debian 12 has 10, Debian 13 has 15); the differences are only here."""

import server

try:
    import websockets
    from websockets.exceptions import ConnectionClosed
    from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory as Offer
except ImportError:
    server.missing_peer("python3-websockets")

__all__ = ["ConnectionClosed", "Offer", "Refused", "abort", "connect", "extensions", "field", "serve", "status"]

VERSION = int(websockets.__version__.split(".")[0])

if VERSION >= 14:
    from websockets.exceptions import InvalidStatus as Refused

    def connect(url, fields=None, **options):
        return websockets.connect(url, additional_headers=fields, proxy=None, **options)

    def serve(handler, host, port, subprotocols=None, **options):
        """Also takes clients that offer no subprotocol."""

        def select(_, offered):
            return next((each for each in subprotocols or () if each in offered), None)

        return websockets.serve(handler, host, port, subprotocols=subprotocols, select_subprotocol=select, **options)

    def status(refused):
        return refused.response.status_code

    def field(client, name):
        """The value of a field of the response to the handshake, or an empty text."""
        return client.response.headers.get(name, "")

    def extensions(client):
        return client.protocol.extensions

else:
    from websockets.exceptions import InvalidStatusCode as Refused

    def connect(url, fields=None, **options):
        return websockets.connect(url, extra_headers=fields, **options)

    def serve(handler, host, port, **options):
        async def handle(connection, *_):
            await handler(connection)

        return websockets.serve(handle, host, port, **options)

    def status(refused):
        return refused.status_code

    def field(client, name):
        """The value of a field of the response to the handshake, or an empty text."""
        return client.response_headers.get(name, "")

    def extensions(client):
        return client.extensions


def abort(client):
    """Resets the connection."""
    client.transport.abort()
