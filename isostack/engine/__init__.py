"""The embedded engine: runs a Pulumi Python program in this process and keeps state as Pulumi does.

It knows no AWS: everything about a cloud comes through the protocol in :mod:`isostack.engine.provider`.
"""
