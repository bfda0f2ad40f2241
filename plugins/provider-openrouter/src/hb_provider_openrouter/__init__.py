"""OpenRouter as a provider of hb"""
