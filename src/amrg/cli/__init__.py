"""amrg.cli"""
