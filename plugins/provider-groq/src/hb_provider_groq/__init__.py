"""Groq as a provider of hb"""
