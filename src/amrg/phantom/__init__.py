"""amrg.phantom"""
