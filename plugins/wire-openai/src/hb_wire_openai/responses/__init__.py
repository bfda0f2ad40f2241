"""The Responses wire (`POST /responses`): items in place of messages, fields of other names, events with types.

The front of `hb_wire_openai` names what others use.
"""
