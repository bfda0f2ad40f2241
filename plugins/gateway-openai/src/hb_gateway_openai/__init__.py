"""The openai gateway of hb: the official openai SDK over the OpenAI wire"""
