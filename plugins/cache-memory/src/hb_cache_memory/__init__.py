"""Response cache of hb in memory"""
