SELECT s.user_id, s.expires_at, s.revoked_at, s.refresh_hash, u.role, u.product
FROM sessions s JOIN users u ON u.user_id = s.user_id
WHERE s.tenant_id = ?1 AND s.session_id = ?2
