"""The response cache: what is kept, under which key, as which bytes, in which store."""
