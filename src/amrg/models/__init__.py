"""amrg.models"""
