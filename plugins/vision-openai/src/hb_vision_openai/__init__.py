"""Image parts as the OpenAI wire wants them, for hb"""
