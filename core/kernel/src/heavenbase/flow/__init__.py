"""The steps of one call between the kernel and a gateway, written once for both colours."""
