"""Comparison of methods: equal runs, their statistics, and the pages that show them."""
