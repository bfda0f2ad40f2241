"""OpenAI as a provider of hb"""
