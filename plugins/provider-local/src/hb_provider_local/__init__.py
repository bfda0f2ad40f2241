"""A small real language model inside the process: llama.cpp as gateway and provider of hb"""
