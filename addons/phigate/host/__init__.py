"""The mitmproxy we live in: what it may show, log and change while the gateway stands in the data path."""
