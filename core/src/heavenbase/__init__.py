"""A pluggy-based microkernel for calling language models"""
