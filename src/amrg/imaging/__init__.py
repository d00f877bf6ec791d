"""amrg.imaging"""
