"""The mock gateway of hb: deterministic answers without a network"""
