"""DeepSeek as a provider of hb"""
