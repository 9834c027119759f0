"""Phigate, room by room.

exchange   what travels with one request and its answer
flows      between mitmproxy's flow and our Exchange; withhold, release, shadows
gate       closed until proven permitted: Refuse stands first, Release and the Sentinel last
policy     the rules every room reads: schema, load, decide
identity   who is asking?
access     may they?
approval   or must someone say yes first?
masking    what may they, the model, and everyone looking on see?
dialect    where the text is, in each protocol a model server speaks
capture    what do we remember of an exchange?
journal    the files: written, chained, recovered, read, proven
audit      what the journal tells: sessions, replay, who saw whom, exports, the report
console    the people's side, on its own port
cli        the `phigate` command
"""

__version__ = "0.1.0"
