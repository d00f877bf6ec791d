"""amrg.training"""
