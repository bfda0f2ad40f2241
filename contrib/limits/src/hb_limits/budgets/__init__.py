"""Budgets: how much money and how many tokens requests may come to, asked before each is sent."""
