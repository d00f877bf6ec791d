"""Drafting any number of studies: found by header, drafted in worker processes or on Ray, recorded, resumed."""
