"""Defects, near copies and personal data, planted by seed into clean rows: what the data room is measured against."""
